import { hash } from 'node:crypto';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ShownCredentials } from './authorization-header.ts';
import { idOfToken } from '../secrets/named-token.ts';

/**
 * Which credentials were right, and which were refused, within a day: by a hash of each, however it was spelt. Who was right lately from a
 * source is let past its throttle, and what was shown before is no further guess.
 */
export interface LoginHistory {
  /** Whether it was right from this source; what was right from another would tell a guesser that it is right. */
  wasRight(shown: ShownCredentials, source: string): boolean;
  right(shown: ShownCredentials, source: string): void;
  /** True where it is a guess: it was neither right nor refused before. From now on it was refused. */
  refused(shown: ShownCredentials): boolean;
}

const keptMs = 24 * 60 * 60 * 1000;
/** Entries of each memory. They are apart, so that failed logins cannot evict successful ones. */
const rememberedMax = 10_000;
/** A credential counts once for each source. */
const sourcesMax = 50_000;

export function createLoginHistory(clock: Clock): LoginHistory {
  const right = new TimedMemory<true>(clock, { entriesMax: rememberedMax });
  const rightFrom = new TimedMemory<true>(clock, { entriesMax: sourcesMax });
  const refused = new TimedMemory<true>(clock, { entriesMax: rememberedMax });
  return {
    wasRight: (shown, source) => rightFrom.get(`${keyOf(shown)} ${source}`) === true,
    right: (shown, source) => {
      const key = keyOf(shown);
      right.set(key, true, keptMs);
      rightFrom.set(`${key} ${source}`, true, keptMs);
    },
    refused: (shown) => {
      const key = keyOf(shown);
      const known = right.get(key) === true || refused.get(key) === true;
      right.forget(key);
      refused.set(key, true, keptMs);
      return !known;
    },
  };
}

/** A token is the same one beside any user name. */
function keyOf(shown: ShownCredentials): string {
  const secret = shown.scheme === 'basic' ? shown.password : shown.token;
  const isWhole = shown.scheme === 'bearer' || idOfToken(secret) !== undefined;
  return hash('sha256', isWhole ? secret : `${shown.username}:${secret}`, 'base64');
}
