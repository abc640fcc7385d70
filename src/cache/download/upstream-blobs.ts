import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { isEmptyBlob, possibleSize } from '../../domain/names/digest.ts';
import { ruleIdentity } from '../../domain/rules/rule-identity.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { FetchManifestParts } from '../pull/fetch-manifest.ts';
import { askForFirstByte } from './first-byte.ts';
import type { FirstByte } from './first-byte.ts';
import { SingleFlight, waitUnder } from '../single-flight.ts';
import { askInTurn } from './upstream-sources.ts';
import type { RuledRequest } from '../pull-request.ts';
import { memoryKey } from '../pull-request.ts';

const headsMax = 10_000;
const headKnownForMs = 60_000;

type BlobRequest = RuledRequest & { readonly digest: Digest };

/** What upstream says of a blob, without its bytes; one question for any number of askers. */
export interface UpstreamBlobs {
  /** By a GET of its first byte: an answer that `isProof` shows that upstream has it in this repository. Throws its failure. */
  ask(request: BlobRequest, signal: AbortSignal): Promise<FirstByte>;
  /**
   * By a HEAD, which is a hint and shows nothing; a yes is kept for 60 s. `believed`: a manifest names the blob, so that a GET
   * has the last word on a no. Throws its failure.
   */
  head(request: BlobRequest, believed: boolean, signal: AbortSignal): Promise<number | undefined>;
  clear(): void;
}

export function createUpstreamBlobs(
  parts: Pick<FetchManifestParts, 'upstream' | 'clock' | 'signal'>,
): UpstreamBlobs {
  const heads = new LRUCache<string, { size: number | undefined; until: number }>(atMost(headsMax));
  const headFlights = new SingleFlight<number | undefined>();
  const flights = new SingleFlight<FirstByte>();

  const ask: UpstreamBlobs['ask'] = (request, signal) => {
    const { digest } = request;
    const { rule, upstreamRepository } = request.target;
    const { promise } = flights.join(keyOf(request), async () => {
      const blob = { rule, upstreamRepository, digest };
      const first = await askForFirstByte(parts.upstream, blob, parts.signal);
      return isEmptyBlob(digest) ? { ...first, total: 0 } : first;
    });
    return waitUnder(promise, signal);
  };

  async function headNow(request: BlobRequest): Promise<number | undefined> {
    const { rule, upstreamRepository: repository } = request.target;
    const { size } = await askInTurn(rule.urls, parts.signal, (url) =>
      parts.upstream.headBlob({ rule, url, repository }, request.digest, parts.signal),
    );
    return possibleSize(request.digest, size);
  }

  return {
    ask,
    head: async (request, believed, signal) => {
      const key = keyOf(request);
      const known = heads.get(key);
      if (known !== undefined && known.until > parts.clock.elapsed()) return known.size;
      const { promise } = headFlights.join(key, async () => {
        const size = await headNow(request);
        heads.set(key, { size, until: parts.clock.elapsed() + headKnownForMs });
        return size;
      });
      try {
        return await waitUnder(promise, signal);
      } catch (error) {
        if (!believed || !isNo(error)) throw error;
        return possibleSize(request.digest, (await ask(request, signal)).total);
      }
    },
    clear: () => heads.clear(),
  };
}

/** Any answer but one that asks to wait. */
function isNo(error: unknown): boolean {
  return (
    error instanceof UpstreamFailure && error.status !== undefined && error.kind !== 'rateLimited'
  );
}

function keyOf(request: BlobRequest): string {
  return memoryKey(request, `${ruleIdentity(request.target.rule)} ${request.digest}`);
}
