import { request } from 'node:http';
import type { Question, RegistryClient } from './registry-client.ts';
import { basicOf } from '../processes/breakwater.ts';

/**
 * Announces a body, sends all but its last byte when the server asks for it, and is gone once the system has taken those.
 * False where the server never asked: it knows already what it answers, which nobody hears.
 */
export async function leaveAtTheEnd(
  { breakwater }: RegistryClient,
  method: 'PATCH' | 'PUT',
  path: string,
  { body = '', headers = {}, streamed }: Question,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const bytes = Buffer.from(body);
  const length =
    streamed === true
      ? { 'Transfer-Encoding': 'chunked' }
      : { 'Content-Length': String(bytes.length) };
  const sent = request(new URL(path, breakwater.url), {
    method,
    headers: {
      Authorization: await basicOf(breakwater),
      Expect: '100-continue',
      ...length,
      ...headers,
    },
    agent: false,
  });
  let asked = false;
  sent.on('continue', () => {
    asked = true;
    sent.write(bytes.subarray(0, -1), () => sent.destroy());
  });
  sent.on('response', () => sent.destroy());
  sent.on('error', () => resolve(asked));
  sent.on('close', () => resolve(asked));
  sent.flushHeaders();
  return promise;
}
