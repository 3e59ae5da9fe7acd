'use strict';
// What main returned, as JSON text, and how a failure is told.

const { inspect, types } = require('util');
const { Response } = require('./pratai.js');

const MAX_RESULT_BYTES = 6 * 1024 * 1024;
const MAX_HEAD_BYTES = 32 * 1024; // what fits into the line that it is sent in; the node allows less
const MAX_MESSAGE = 4096;
const OWN_FRAMES = `${__dirname}/`;

// What main returned cannot be sent, or is too much; `reason` is the typed reason.
class BadResultError extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

// Returns the header and the body of the message that answers with what main returned; throws
// BadResultError.
function answer(value) {
  if (!(value instanceof Response)) return { header: { op: 'response' }, body: encode(value) };
  const { text, encoding } = bodyOf(value.body);
  const head = headOf(value, encoding);
  return { header: { op: 'response', head }, body: text };
}

// Returns the header of the message that tells a failure by this operation, and prints where it
// happened.
function failure(op, error) {
  if (error instanceof BadResultError) return { op, reason: error.reason, message: error.message };
  print(shown(error));
  return { op, reason: 'exception', message: shortened(summary(error)) };
}

function bodyOf(body) {
  if (typeof body === 'string') return { text: encode(body), encoding: 'text' };
  if (ArrayBuffer.isView(body)) {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    return { text: encode(bytes.toString('base64')), encoding: 'base64' };
  }
  return { text: encode(body), encoding: 'json' };
}

function headOf({ status, headers }, encoding) {
  let head;
  try {
    // A Map, Headers of fetch, or an object.
    const pairs = headers?.[Symbol.iterator] ? headers : Object.entries(headers ?? {});
    head = { status, headers: Object.fromEntries(pairs), encoding };
    if (Buffer.byteLength(JSON.stringify(head, lossless)) <= MAX_HEAD_BYTES) return head;
  } catch (error) {
    throw new BadResultError(
      'bad_result',
      `the Response's status or headers are none: ${summary(error)}`,
    );
  }
  throw new BadResultError('bad_result', "the Response's headers are too large");
}

function encode(value) {
  let text;
  try {
    text = JSON.stringify(value, lossless) ?? 'null';
  } catch (error) {
    throw new BadResultError('bad_result', `main returned no JSON: ${summary(error)}`);
  }
  const size = Buffer.byteLength(text);
  if (size > MAX_RESULT_BYTES) {
    throw new BadResultError(
      'result_too_large',
      `main returned ${size} bytes, ${MAX_RESULT_BYTES} are allowed`,
    );
  }
  return text;
}

// A replacer of JSON.stringify that refuses what JSON would leave out without a word.
function lossless(name, value) {
  const lost = lostOf(value);
  if (lost) throw new TypeError(name === '' ? lost : `${lost} in ${inspect(name)}`);
  return value;
}

function lostOf(value) {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? null : String(value);
    case 'bigint':
    case 'function':
    case 'symbol':
      return `a ${typeof value}`;
    case 'object':
      if (types.isPromise(value)) return 'a promise that was not awaited';
      if (types.isMap(value)) return 'a Map';
      if (types.isSet(value)) return 'a Set';
      return types.isNativeError(value) ? 'an Error' : null;
    default:
      return null;
  }
}

// Returns what was thrown with its stack, without the runner's own frames.
function shown(error) {
  const own = (line) => /^ +at /.test(line) && line.includes(OWN_FRAMES);
  try {
    return inspect(error).split('\n').filter((line) => !own(line)).join('\n');
  } catch {
    return unshown(error);
  }
}

// Returns what was thrown in a line: anything can be.
function summary(error) {
  try {
    return types.isNativeError(error) ? String(error) : inspect(error);
  } catch {
    return unshown(error);
  }
}

// Cuts between characters, as the node counts them: it knows by the length what was cut.
function shortened(text) {
  return [...text.slice(0, 2 * MAX_MESSAGE)].slice(0, MAX_MESSAGE).join('');
}

function unshown(error) {
  return `an ${typeof error} that cannot be shown`;
}

function print(text) {
  try {
    process.stderr.write(`${text}\n`);
  } catch {
    // The function's own stream: anything goes.
  }
}

module.exports = { answer, failure };
