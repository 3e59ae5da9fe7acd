'use strict';
// What a function may take from Pratai: const { context, Response, secret } = require('pratai').

const fs = require('fs');

const SECRETS = '/run/secrets';

// What main returns to answer other than with JSON and 200.
//
// Text is answered as text/plain in UTF-8 and bytes (a Buffer, a typed array) as
// application/octet-stream, unless the headers say otherwise; any other body as JSON. `status` is
// 200 to 599; `headers` are an object, a Map, or Headers of fetch.
class Response {
  constructor(body = '', { status = 200, headers = {} } = {}) {
    this.body = body;
    this.status = status;
    this.headers = headers;
  }
}

// What is known of the event that is being handled.
//
// `request_id` and `attempt` name this run, `function` and `version` the code, `source` says what
// kind of event it was. `identity` is what the function acts with for its owner, null if it does
// not: `auth_url`, `token`, `expires_at`, `project_id` and `user_id`. `traceparent` and `tracestate`
// are W3C Trace Context: what a function passes on with its own HTTP requests is in the trace of
// whoever caused this run.
class Context {
  #deadline = null;

  // The seconds that are left before the run's timeout, null while no event is handled.
  get remaining() {
    return this.#deadline && Math.max(0, (this.#deadline - performance.now()) / 1000);
  }

  _begin(values, seconds) {
    for (const name of Object.keys(this)) delete this[name];
    for (const [name, value] of Object.entries(values)) {
      Object.defineProperty(this, name, { value, configurable: true, enumerable: true });
    }
    this.#deadline = performance.now() + seconds * 1000;
  }
}

// What the node has given, in this memory and as files that the function reads.
class Secrets {
  #values = new Map();

  // Lets the function find them.
  take(given) {
    for (const { name, value, file, environment } of given) {
      const bytes = Buffer.from(value, 'base64');
      this.#values.set(name, bytes);
      if (file) fs.writeFileSync(`${SECRETS}/${file}`, bytes, { mode: 0o400, flag: 'wx' });
      if (environment) process.env[environment] = bytes.toString();
    }
  }

  value(name) {
    if (!this.#values.has(name)) throw new Error(`the function names no secret ${name}`);
    return this.#values.get(name);
  }
}

const secrets = new Secrets();

// Returns the text of a secret that the function names; throws for any other. One that is no text
// in UTF-8 is to be read from its file.
function secret(name) {
  return secrets.value(name).toString();
}

module.exports = { context: new Context(), Response, secret, _secrets: secrets };
