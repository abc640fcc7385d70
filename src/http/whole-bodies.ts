import { sourceOf } from '../domain/client-source.ts';
import { RegistryError } from '../domain/errors.ts';

/** What the bodies that are read whole may hold together: sixteen of the largest manifests. Those of one client have half of it. */
const budgetBytes = 64 * 1024 * 1024;
/** A body of which nothing came for so long is cut first where others need its memory. */
const stalledMs = 3000;

/** The memory of request bodies that are read whole (manifests, forms, JSON): of all requests of one listener together. */
export interface WholeBodies {
  /** Of whom (`sourceOf` the address); `cut` ends the request's connection. The memory is given back when the place is disposed, after the reply. */
  join(clientAddress: string, cut: () => void): WholeBody;
}

export interface WholeBody extends Disposable {
  /** So many bytes more came. Throws `unavailable` where all memory, or this client's half, is taken by bodies that are still coming. */
  add(bytes: number): void;
  /** All of it has come: it is never cut any more. */
  complete(): void;
}

interface Place {
  readonly source: string;
  bytes: number;
  movedMs: number;
  coming: boolean;
  readonly cut: () => void;
}

export function createWholeBodies(now: () => number, maxBytes: number = budgetBytes): WholeBodies {
  const places = new Set<Place>();
  const usedBySource = new Map<string, number>();
  let usedBytes = 0;

  const take = (place: Place, bytes: number): void => {
    const ofSource = (usedBySource.get(place.source) ?? 0) + bytes;
    if (ofSource > 0) usedBySource.set(place.source, ofSource);
    else usedBySource.delete(place.source);
    usedBytes += bytes;
    place.bytes += bytes;
  };

  const release = (place: Place): void => {
    if (places.delete(place)) take(place, -place.bytes);
  };

  const fitsAll = (bytes: number): boolean => usedBytes + bytes <= maxBytes;
  const fitsClient = ({ source }: Place, bytes: number): boolean =>
    (usedBySource.get(source) ?? 0) + bytes <= maxBytes / 2;

  /** Those that hold most go first; where the client has had its half, only its own. */
  const cutStalled = (place: Place, bytes: number): void => {
    const stalled = [...places]
      .filter((each) => each !== place && each.coming && now() - each.movedMs >= stalledMs)
      .toSorted((one, other) => other.bytes - one.bytes);
    for (const each of stalled) {
      const own = each.source === place.source;
      if (fitsClient(place, bytes) ? fitsAll(bytes) : !own) continue;
      release(each);
      each.cut();
    }
  };

  return {
    join: (clientAddress, cut) => {
      const place: Place = {
        source: sourceOf(clientAddress),
        bytes: 0,
        movedMs: now(),
        coming: true,
        cut,
      };
      places.add(place);
      return {
        add: (bytes) => {
          if (!places.has(place)) return;
          place.movedMs = now();
          if (bytes === 0) return;
          const fits = (): boolean => fitsAll(bytes) && fitsClient(place, bytes);
          if (!fits()) cutStalled(place, bytes);
          if (!fits()) {
            throw new RegistryError('unavailable', 'too many request bodies are being read', {
              retryAfterMs: 1000,
            });
          }
          take(place, bytes);
        },
        complete: () => {
          place.coming = false;
        },
        [Symbol.dispose]: () => release(place),
      };
    },
  };
}
