import type { JWTVerifyGetKey } from 'jose';
import { errors } from 'jose';
import type { Clock } from '../../ports/clock.ts';
import type { FetchedKeys, KeySetPlace } from './key-fetch.ts';
import { KeyFetchFailure, fetchKeys } from './key-fetch.ts';

/** An issuer's public keys, as far as they are known. */
export interface KeySet {
  /**
   * Verifies by them; fetches where none are known, they are old, or `kid` is new to them. While the issuer can't be asked, the last
   * ones stay. Rejects with `KeysUnavailable` where there are none.
   */
  readonly getKey: JWTVerifyGetKey;
}

/** The issuer's keys could not be had. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

const freshMs = 600_000;
/** Between two fetches because of an unknown `kid`. */
const unknownKidMs = 30_000;
const retryMs = 5000;

/** Told of each fetch that failed, and what was answered; at most one every five seconds. */
export type KeysFailed = (issuer: string, failure: KeyFetchFailure) => void;

export function createKeySet(place: KeySetPlace, clock: Clock, failed: KeysFailed): KeySet {
  let keys: FetchedKeys | undefined;
  let fetchedAt = -Infinity;
  let triedAt = -Infinity;
  let running: Promise<void> | undefined;
  let failure: unknown;

  const fetchOnce = async (): Promise<void> => {
    triedAt = clock.elapsed();
    try {
      keys = await fetchKeys(place);
      fetchedAt = clock.elapsed();
      failure = undefined;
    } catch (error) {
      failure = error;
      if (error instanceof KeyFetchFailure) failed(place.issuer, error);
    } finally {
      running = undefined;
    }
  };
  const refresh = (notWithinMs: number): Promise<void> | undefined => {
    if (running === undefined && clock.elapsed() - triedAt < notWithinMs) return undefined;
    running ??= fetchOnce();
    return running;
  };

  return {
    getKey: async (header, token) => {
      if (keys === undefined) await refresh(retryMs);
      else if (clock.elapsed() - fetchedAt > freshMs) await refresh(unknownKidMs);
      if (keys === undefined) {
        throw new KeysUnavailable(`the keys of ${place.issuer} cannot be had`, { cause: failure });
      }
      try {
        return await keys(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        await refresh(unknownKidMs);
        return await keys(header, token);
      }
    },
  };
}
