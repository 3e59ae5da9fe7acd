// A first function: greets, and tells the plural of a noun.
'use strict';

const pluralize = require('pluralize');
const { context } = require('pratai');

exports.main = async (payload) => {
  const { name = 'world', noun = 'event' } = payload ?? {};
  console.log(`handling request ${context.request_id}`);
  return { greeting: `Hello, ${name}!`, plural: pluralize(noun) };
};
