import { RegistryError } from '../../../src/domain/errors.ts';
import type { Incoming } from '../../../src/http/reply.ts';

/** A request's body that is there whole, as a front end reads it. */
export function incomingBody(
  bytes: Buffer,
): Pick<Incoming, 'bodyBytes' | 'body' | 'readBody' | 'readCall'> {
  const read = (bytesMax: number): Promise<Uint8Array> =>
    bytes.length > bytesMax
      ? Promise.reject(new RegistryError('requestTooLarge', 'the body is too large'))
      : Promise.resolve(bytes);
  return {
    bodyBytes: bytes.length,
    body: (async function* () {
      yield bytes;
    })(),
    readBody: read,
    readCall: async (bytesMax, onChunk) => {
      const chunk = await read(bytesMax);
      onChunk(chunk);
      return [chunk];
    },
  };
}
