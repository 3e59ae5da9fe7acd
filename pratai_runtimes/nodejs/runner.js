'use strict';
// Runs the user's code in its container. Node's standard library only.
//
// Speaks the runner protocol (doc/source/contributor/runner-protocol.rst) over the node's unix
// socket: it is told which function to load, asks for the next event, which says "ready", gets it,
// and answers with the response or an error. What the process prints goes to a pipe of the node.

const fs = require('fs');
const path = require('path');
const { Link } = require('./link.js');
const { redirectOutput } = require('./output.js');
const { context, _secrets: secrets } = require('./pratai.js');
const { answer, failure } = require('./results.js');

const FOLDER = '/run/pratai';
const MODULES = ['new_module.js', 'new_module.mjs', 'new_module.cjs'];
const UNSETTLED = 'is never settled: nothing is left that could';

class Runner {
  #link;
  #main = null;
  #asked = 'init_error'; // by which operation a failure is told; null where nobody waits for one

  constructor(link) {
    this.#link = link;
  }

  // Is the process of one container, until it ends.
  async run() {
    const { header, body } = await this.#link.next();
    process.on('uncaughtException', (error) => this.#uncaught(error));
    process.on('beforeExit', () => this.#idle());
    process.on('exit', (code) => this.#leaving(code));
    try {
      enter(header);
      if (body) secrets.take(JSON.parse(body).secrets);
      this.#main = await load();
    } catch (error) {
      this.#fail(error);
      return;
    }
    const ready = { op: 'next', ...asCanBe(header.isolation) };
    do {
      await this.#handle(ready);
    } while (header.isolation === 'shared');
    this.#link.end();
  }

  async #handle(ready) {
    this.#asked = null;
    this.#link.send(ready);
    const { header, body } = await this.#link.next();
    this.#asked = 'error';
    context._begin(header.context, header.timeout);
    try {
      const told = answer(await this.#main(JSON.parse(body)));
      this.#tell(told.header, told.body);
    } catch (error) {
      this.#tell(failure(this.#asked, error));
    }
  }

  // Gives the one answer: what comes later is nobody's.
  #tell(header, body) {
    if (this.#asked) this.#link.send(header, body);
    this.#asked = null;
  }

  // Something that nobody waited for has failed: as everywhere in Node it ends the process, unless
  // the function has a handler of its own.
  #uncaught(error) {
    if (process.listenerCount('uncaughtException') === 1) this.#fail(error);
  }

  // Nothing is left that runs, or is waited for, and there is no answer yet.
  #idle() {
    const what = this.#main ? "main's promise" : "the module's top level";
    if (this.#asked) this.#fail(new Error(`${what} ${UNSETTLED}`));
  }

  #fail(error) {
    this.#tell(failure(this.#asked, error));
    this.#link.end();
  }

  // The function ends the process; so short an answer is out before it does.
  #leaving(code) {
    if (!this.#asked || !this.#link.open) return;
    this.#tell({ op: this.#asked, reason: 'exit_code', message: `process.exit(${code})` });
    process.exitCode = 0;
  }
}

// Becomes the function's process: its variables, its folder.
function enter({ environment, function: folder }) {
  Object.assign(process.env, environment);
  process.chdir(folder);
}

// Returns the function's main, of the module in the working folder.
async function load() {
  const name = MODULES.find((each) => fs.existsSync(each));
  if (!name) throw new Error(`there is none of ${MODULES.join(', ')}`);
  const file = path.resolve(name);
  const module = isModule(name) ? await import(file) : require(file);
  if (typeof module?.main !== 'function') {
    throw new TypeError(`${name} exports no function main(payload)`);
  }
  return (payload) => module.main(payload);
}

// Says whether Node takes a file of the working folder for an ECMAScript module.
function isModule(name) {
  if (name.endsWith('.mjs')) return true;
  if (name.endsWith('.cjs') || !fs.existsSync('package.json')) return false;
  return JSON.parse(fs.readFileSync('package.json', 'utf8')).type === 'module';
}

// Node has no copy of a process that has already loaded a module.
function asCanBe(isolation) {
  if (isolation !== 'process') return {};
  return { isolation: 'container', message: 'Node.js cannot fork a process that has modules loaded' };
}

function serve() {
  const link = new Link(path.join(FOLDER, 'node.sock'));
  redirectOutput(path.join(FOLDER, 'output'));
  new Runner(link).run();
}

if (require.main === module) serve();
