import { context } from 'pratai';

export async function main(payload) {
  return { payload, request: context.request_id };
}
