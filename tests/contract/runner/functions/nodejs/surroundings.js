'use strict';
// Tells where it runs.

const atImport = { ...process.env };
const winter = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' });

exports.main = (names) => ({
  imported_with: names.map((name) => atImport[name] ?? null),
  variables: names.map((name) => process.env[name] ?? null),
  folder: process.cwd(),
  timezone: winter.formatToParts(new Date(0)).find(({ type }) => type === 'timeZoneName').value,
});
