import { RegistryError } from '../domain/errors.ts';

/** What the bodies that are read whole may hold together: sixteen of the largest manifests. */
const budgetBytes = 64 * 1024 * 1024;
/** A body of which nothing came for so long is cut first where others need its memory. */
const stalledMs = 3000;

/** The memory of request bodies that are read whole (manifests, forms, JSON): of all requests of one listener together. */
export interface WholeBodies {
  /** `cut` ends the request's connection. The memory is given back when the place is disposed, after the reply. */
  join(cut: () => void): WholeBody;
}

export interface WholeBody extends Disposable {
  /** So many bytes more came. Throws `unavailable` where all memory is taken by bodies that are still coming. */
  add(bytes: number): void;
  /** All of it has come: it is never cut any more. */
  complete(): void;
}

interface Place {
  bytes: number;
  movedMs: number;
  coming: boolean;
  readonly cut: () => void;
}

export function createWholeBodies(now: () => number, maxBytes: number = budgetBytes): WholeBodies {
  const places = new Set<Place>();
  let usedBytes = 0;

  const release = (place: Place): void => {
    if (!places.delete(place)) return;
    usedBytes -= place.bytes;
  };

  /** Those that hold most go first. */
  const cutStalled = (needed: number, except: Place): void => {
    const stalled = [...places]
      .filter((each) => each !== except && each.coming && now() - each.movedMs >= stalledMs)
      .toSorted((one, other) => other.bytes - one.bytes);
    for (const place of stalled) {
      if (usedBytes + needed <= maxBytes) return;
      release(place);
      place.cut();
    }
  };

  return {
    join: (cut) => {
      const place: Place = { bytes: 0, movedMs: now(), coming: true, cut };
      places.add(place);
      return {
        add: (bytes) => {
          if (!places.has(place)) return;
          if (usedBytes + bytes > maxBytes) cutStalled(bytes, place);
          if (usedBytes + bytes > maxBytes) {
            throw new RegistryError('unavailable', 'too many request bodies are being read', {
              retryAfterMs: 1000,
            });
          }
          usedBytes += bytes;
          place.bytes += bytes;
          place.movedMs = now();
        },
        complete: () => {
          place.coming = false;
        },
        [Symbol.dispose]: () => release(place),
      };
    },
  };
}
