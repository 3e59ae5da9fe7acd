'use strict';
// Lets everything that the process and its children print go to the node.

const fs = require('fs');
const { Writable } = require('stream');

const RETRY_MS = 1;
const never = new Int32Array(new SharedArrayBuffer(4));

// A stream that has written when `write` returns. Node's own for a pipe writes later what does not
// fit at once, and loses it where the process ends first.
class Output extends Writable {
  constructor(fd) {
    super();
    this.fd = fd;
  }

  _write(chunk, encoding, done) {
    try {
      let rest = chunk;
      while (rest.length > 0) rest = rest.subarray(written(this.fd, rest));
    } catch (error) {
      done(error);
      return;
    }
    done();
  }
}

// Writes what fits, and returns how many bytes; waits where a child has set the pipe, which it
// shares with this process, to be never waited for.
function written(fd, chunk) {
  try {
    return fs.writeSync(fd, chunk);
  } catch (error) {
    if (error.code !== 'EAGAIN') throw error;
    Atomics.wait(never, 0, 0, RETRY_MS);
    return 0;
  }
}

// Makes the named pipe at this path the process's standard output and error.
function redirectOutput(path) {
  for (const [fd, name] of [[1, 'stdout'], [2, 'stderr']]) {
    fs.closeSync(fd);
    const opened = fs.openSync(path, 'w'); // the lowest number that is free
    if (opened !== fd) throw new Error(`${name} became ${opened}`);
    Object.defineProperty(process, name, { value: new Output(fd), configurable: true, enumerable: true });
  }
}

module.exports = { redirectOutput };
