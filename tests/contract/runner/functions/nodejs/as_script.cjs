const { context } = require('pratai');

module.exports.main = (payload) => ({ payload, request: context.request_id });
