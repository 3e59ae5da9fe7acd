'use strict';
// The connection to the node: header lines of JSON, some followed by a body.

const net = require('net');

const LINK_LOST = 76; // exit code that says: the connection is gone (EX_PROTOCOL of sysexits.h)
const NEWLINE = 10;

class Link {
  #socket;
  #pieces = [];
  #length = 0;
  #wanted = 1; // bytes that the message which comes has at least, as far as is known
  #waiting = null;

  // Connects to the socket at this path. Where the connection ends the process does: nobody is
  // left who could want anything of it. A node that closes it has said so.
  constructor(path) {
    const lost = () => process.exit(LINK_LOST);
    this.#socket = net.connect(path).on('data', (piece) => this.#take(piece));
    this.#socket.on('end', () => process.exit(0)).on('error', lost).on('close', lost);
  }

  // Returns a promise of the next message: its header and its body. The process lives for as long
  // as it waits for one, and else only for as long as the function has something to do.
  next() {
    this.#socket.ref();
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  // Sends a header, whose size is that of the body, and the body, which is text; nothing more once
  // the process is to end.
  send(header, body = '') {
    if (this.#socket.writableEnded) return;
    const line = JSON.stringify({ ...header, size: Buffer.byteLength(body) });
    this.#socket.write(`${line}\n${body}`);
  }

  // Whether anything can be sent.
  get open() {
    return this.#socket.writable;
  }

  // Ends the process when all has been sent.
  end() {
    this.#socket.ref();
    this.#socket.end((error) => process.exit(error ? LINK_LOST : 0));
  }

  #take(piece) {
    this.#pieces.push(piece);
    this.#length += piece.length;
    while (this.#length >= this.#wanted && this.#deliver());
  }

  // Hands over a message if all of it is there, and says whether it was.
  #deliver() {
    const received = Buffer.concat(this.#pieces);
    const start = received.indexOf(NEWLINE) + 1;
    const header = start > 0 ? JSON.parse(received.toString('utf8', 0, start)) : null;
    const end = header ? start + header.size : Infinity;
    const whole = received.length >= end;
    this.#pieces = [whole ? received.subarray(end) : received];
    this.#length = this.#pieces[0].length;
    this.#wanted = header && !whole ? end : 1;
    if (!whole) return false;
    this.#socket.unref();
    this.#waiting({ header, body: received.toString('utf8', start, end) });
    return true;
  }
}

module.exports = { Link };
