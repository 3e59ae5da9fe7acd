// A function: main runs once for each event, and gets what the event brought.
'use strict';

// What it returns is the result: anything that is JSON. It may be async.
exports.main = (payload) => {
  const name = payload?.name ?? 'world';
  console.log(`greeting ${name}`);
  return { greeting: `Hello, ${name}!` };
};
