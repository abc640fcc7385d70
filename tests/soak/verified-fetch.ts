import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createFiller } from '../bench/synthetic-image.ts';
import type { SyntheticBlob } from '../bench/synthetic-image.ts';

/** `broken`: it did not end, so that it says nothing. `refused`: an error status. `wrong`: it ended as complete with other bytes than it should have. */
export interface Fetched {
  readonly result: 'right' | 'wrong' | 'refused' | 'broken';
  readonly status: number;
  /** The store had it: `Cache-Status: Breakwater; hit`. */
  readonly hit: boolean;
  readonly digest: string | undefined;
  readonly detail: string;
}

export interface ByteRange {
  readonly start: number;
  /** Exclusive; the blob's size: asked for as an open end. */
  readonly end: number;
}

export interface VerifiedClient extends Disposable {
  /** `belongs` is asked once the answer is there: upstream may have moved meanwhile. */
  fetchManifest(path: string, belongs: (digest: string) => boolean): Promise<Fetched>;
  fetchBlob(path: string, blob: SyntheticBlob, range?: ByteRange): Promise<Fetched>;
}

const timeoutMs = 20_000;

export function createVerifiedClient(port: number): VerifiedClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const get = (path: string, headers: Record<string, string>): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const outgoing = request({ host: '127.0.0.1', port, path, headers, agent, signal }, resolve);
      outgoing.once('error', reject);
      outgoing.end();
    });
  const fetchChecked = async (
    path: string,
    headers: Record<string, string>,
    check: (response: IncomingMessage) => Promise<string | undefined>,
  ): Promise<Fetched> => {
    try {
      const response = await get(path, headers);
      const status = response.statusCode ?? 0;
      const answer = {
        status,
        hit: String(response.headers['cache-status'] ?? '').startsWith('Breakwater; hit'),
        digest: response.headers['docker-content-digest'] as string | undefined,
      };
      if (status >= 300) {
        const body: Buffer[] = [];
        for await (const chunk of response) body.push(chunk as Buffer);
        const detail = Buffer.concat(body).toString().slice(0, 300);
        return { ...answer, result: 'refused', detail };
      }
      const fault = await check(response);
      return { ...answer, result: fault === undefined ? 'right' : 'wrong', detail: fault ?? '' };
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      return { result: 'broken', status: 0, hit: false, digest: undefined, detail };
    }
  };
  return {
    fetchManifest: (path, belongs) =>
      fetchChecked(path, { accept: '*/*' }, async (response) => {
        const hash = createHash('sha256');
        for await (const chunk of response) hash.update(chunk as Buffer);
        const digest = `sha256:${hash.digest('hex')}`;
        if (!belongs(digest)) return `bytes of ${digest}, which upstream never had there`;
        const said = response.headers['docker-content-digest'];
        return said === digest ? undefined : `bytes of ${digest}, called ${String(said)}`;
      }),
    fetchBlob: (path, blob, range) =>
      fetchChecked(path, rangeHeaders(blob, range), async (response) => {
        const partial = response.statusCode === 206;
        return comparePosition(response, blob, partial ? range : undefined);
      }),
    [Symbol.dispose]() {
      agent.destroy();
    },
  };
}

function rangeHeaders(blob: SyntheticBlob, range: ByteRange | undefined): Record<string, string> {
  if (range === undefined) return {};
  return { range: `bytes=${range.start}-${range.end === blob.size ? '' : range.end - 1}` };
}

/** Byte for byte against what the blob holds there: undefined, or how it differs. */
async function comparePosition(
  response: IncomingMessage,
  blob: SyntheticBlob,
  range: ByteRange | undefined,
): Promise<string | undefined> {
  const { start, end } = range ?? { start: 0, end: blob.size };
  const filler = createFiller(blob.seed);
  let offset = start;
  let fault: string | undefined;
  for await (const chunk of response) {
    let bytes = chunk as Buffer;
    while (bytes.length > 0 && fault === undefined) {
      const expected = filler.at(offset, Math.min(bytes.length, end - offset));
      if (expected.length === 0) fault = `more than ${end - start} bytes`;
      else if (!bytes.subarray(0, expected.length).equals(expected))
        fault = `other bytes within ${expected.length} of ${offset}`;
      offset += expected.length;
      bytes = bytes.subarray(expected.length);
    }
  }
  if (fault === undefined && offset !== end)
    fault = `complete after ${offset - start} of ${end - start} bytes`;
  return fault;
}
