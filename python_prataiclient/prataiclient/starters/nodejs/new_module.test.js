// Tests of the function; in its folder run: node --test
'use strict';

const assert = require('node:assert');
const test = require('node:test');

const { main } = require('./new_module');

test('it greets who is named', () => {
  assert.deepStrictEqual(main({ name: 'Ada' }), { greeting: 'Hello, Ada!' });
});

test('it greets the world where nobody is named', () => {
  assert.deepStrictEqual(main(null), { greeting: 'Hello, world!' });
});
