'use strict';
// Does what its event names.

const { fork } = require('child_process');
const fs = require('fs');
const { Response } = require('pratai');

const never = () => new Promise(() => {});
const later = () => new Promise((resolve) => setTimeout(resolve, 10));
const circle = {};
circle.again = circle;

function isSocket(path) {
  try {
    return fs.readlinkSync(path).startsWith('socket:');
  } catch {
    return false; // it was the folder's
  }
}

const known = {
  returns() {
    console.log('printed before it');
    process.stdout.write('an unfinished line');
    return { a: [1, null, 'ä'] };
  },
  responds: () => new Response('made', { status: 201, headers: { Location: '/x' } }),
  raises() {
    console.log('printed before it');
    throw new RangeError('nothing found');
  },
  raises_much() {
    throw new RangeError('\u{1F600}'.repeat(5000));
  },
  returns_a_set: () => new Set([1]),
  returns_too_much: () => 'x'.repeat(6 * 1024 * 1024),
  exits: () => process.exit(3),
  ends_at_once: () => process.reallyExit(5),
  ends_well_at_once: () => process.reallyExit(0),
  comes_back_twice() {
    fork(process.argv[1]);
    return 'parent';
  },
  closes_descriptors() {
    for (const descriptor of fs.readdirSync('/proc/self/fd')) {
      if (isSocket(`/proc/self/fd/${descriptor}`)) fs.closeSync(Number(descriptor));
    }
    return never();
  },
  closes_output() {
    fs.closeSync(1);
    fs.closeSync(2);
    console.log('to nobody');
  },
  replaces_output() {
    for (const name of ['stdout', 'stderr']) {
      Object.defineProperty(process, name, { value: null });
    }
  },

  // What Python's has not.
  resolves: () => later().then(() => ({ late: true })),
  rejects: () => later().then(() => Promise.reject(new RangeError('nothing found later'))),
  throws_no_error: () => Promise.reject({ code: 7 }),
  throws_nothing() {
    throw undefined;
  },
  throws_what_cannot_be_shown() {
    throw { get [Symbol.toStringTag]() { throw new Error('hidden'); } };
  },
  returns_nothing() {},
  returns_a_function: () => ({ deep: [main] }),
  returns_nan: () => [1, NaN],
  returns_infinity: () => -Infinity,
  returns_a_bigint: () => 2n ** 64n,
  returns_a_promise_within: () => ({ value: later() }),
  returns_an_error: () => new Error('returned'),
  returns_a_circle: () => circle,
  returns_a_date: () => new Date(0),
  returns_what_refuses: () => ({ toJSON() { throw new Error('not me'); } }),
  responds_with_bytes: () => new Response(Buffer.from([0, 255]), { headers: new Map([['A', 'b']]) }),
  responds_with_json: () => new Response({ a: 1 }, { headers: new Headers({ 'X-A': 'b' }) }),
  responds_with_no_headers: () => new Response('', { headers: 'none' }),
  responds_with_too_many: () => new Response('', { headers: { A: 'x'.repeat(40_000) } }),
  responds_with_no_status: () => new Response('', { status: NaN }),
  async rejects_elsewhere() {
    Promise.reject(new RangeError('nobody waits for this'));
    await never();
  },
  async throws_elsewhere() {
    setTimeout(() => { throw new RangeError('nobody catches this'); });
    await later();
    await never();
  },
  async exits_elsewhere() {
    setTimeout(() => process.exit(4));
    await never();
  },
  waits_for_nothing: never,
  async answers_and_goes_on() {
    setInterval(() => console.log('chatter'), 1);
    return 'answered';
  },
  async minds_its_own() {
    process.on('uncaughtException', (error) => console.log(`minded: ${error.message}`));
    setTimeout(() => { throw new Error('mine'); });
    await later();
    await later();
    return 'minded';
  },
  prints_much() {
    for (let line = 0; line < 2000; line += 1) console.log('x'.repeat(99));
    process.exit(0);
  },
  exhausts() {
    const held = [];
    for (;;) held.push(new Array(100_000).fill(held.length));
  },
};

function main(what) {
  return known[what]();
}

exports.main = main;
