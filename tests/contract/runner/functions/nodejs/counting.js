'use strict';
// Tells apart what the import made and what events did.

const { randomUUID } = require('crypto');
const { context } = require('pratai');

const imported = randomUUID();
const events = [];

exports.main = (payload) => {
  events.push(payload);
  return {
    imported,
    events: events.length,
    payload,
    request_id: context.request_id,
    remaining: context.remaining,
    process: process.pid,
  };
};
