'use strict';
// Prints all the time: when it is imported, in each event, and by what an event left.

process.stdout.write('import: an unfinished line');

exports.main = (what) => {
  console.log(`event: ${what}`);
  if (what === 'leave a thread') setInterval(() => console.log('chatter'), 10);
};
