import { RegistryError } from '../../../src/domain/errors.ts';
import type { Incoming } from '../../../src/http/reply.ts';

/** A request's body that is there whole, as a front end reads it. */
export function incomingBody(bytes: Buffer): Pick<Incoming, 'bodyBytes' | 'body' | 'readBody'> {
  return {
    bodyBytes: bytes.length,
    body: (async function* () {
      yield bytes;
    })(),
    readBody: (bytesMax, { onChunk } = {}) => {
      if (bytes.length > bytesMax)
        return Promise.reject(new RegistryError('requestTooLarge', 'the body is too large'));
      onChunk?.(bytes);
      return Promise.resolve(bytes);
    },
  };
}
