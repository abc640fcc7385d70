import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { UpstreamLimit, UpstreamState } from '../../ports/upstream.ts';
import { type Breaker, type BreakerState, createBreaker } from './breaker.ts';
import { createHolds, type Holds } from './holds.ts';

/** What is known of one host: its breaker, its holds after a 429, its quota and its last answers. */
export interface Host {
  readonly name: string;
  readonly breaker: Breaker;
  readonly holds: Holds;
  /** `undefined`: it no longer says that there is one. */
  observe(limit: UpstreamLimit | undefined): void;
  succeeded(): void;
  failed(failure: UpstreamFailure): void;
}

export interface Hosts {
  /**
   * `of` is the host of a rule's URL, `name` the one that is asked for it. Where an upstream's redirects and realms lead is known
   * apart for each upstream: it chooses the paths that are asked there, and what fails by them stops nobody else.
   */
  of(name: string, of: string): Host;
  /** With a credential's key: as far as that one is held. */
  state(name: string, credentialKey?: string): UpstreamState | undefined;
  /** Forgets breakers and holds; quotas and last answers stay. */
  reset(): void;
}

interface Entry {
  readonly host: Host;
  state(credentialKey: string | undefined): UpstreamState;
  forget(): void;
}

const hostsMax = 1000;

/** `changed` is told when the breaker of a rule's own host opens, half-opens or closes: of those that upstreams choose telemetry learns nothing. */
export function createHosts(
  clock: Clock,
  changed: (host: string, state: BreakerState) => void,
): Hosts {
  const entries = new LRUCache<string, Entry>(atMost(hostsMax));
  const elsewhere = new LRUCache<string, Entry>(atMost(hostsMax));
  const untold = (): void => {};
  return {
    of(name, of) {
      const own = name === of;
      const [known, key] = own ? [entries, name] : [elsewhere, `${of} ${name}`];
      const kept = known.get(key);
      if (kept !== undefined) return kept.host;
      const entry = createEntry(name, clock, own ? changed : untold);
      known.set(key, entry);
      return entry.host;
    },
    state: (name, credentialKey) => entries.peek(name)?.state(credentialKey),
    reset() {
      for (const entry of [...entries.values(), ...elsewhere.values()]) entry.forget();
    },
  };
}

function createEntry(
  name: string,
  clock: Clock,
  changed: (host: string, state: BreakerState) => void,
): Entry {
  const breaker = createBreaker(clock, (state) => changed(name, state));
  const holds = createHolds(clock);
  let limit: UpstreamLimit | undefined;
  let lastSuccessAt: number | undefined;
  let lastFailure: { readonly at: number; readonly message: string } | undefined;
  let last: UpstreamState['last'];
  return {
    host: {
      name,
      breaker,
      holds,
      observe: (seen) => (limit = seen),
      succeeded: () => {
        lastSuccessAt = clock.now();
        last = 'success';
      },
      failed: (failure) => {
        lastFailure = { at: clock.now(), message: failure.message };
        last = 'failure';
      },
    },
    state(credentialKey) {
      const held = holds.heldMs(credentialKey);
      const { restMs } = breaker;
      return {
        upstream: name,
        breaker: breaker.state,
        restsUntil: restMs > 0 ? clock.now() + restMs : undefined,
        heldUntil: held > 0 ? clock.now() + held : undefined,
        lastSuccessAt,
        lastFailure,
        last,
        limit,
      };
    },
    forget() {
      breaker.reset();
      holds.clear();
    },
  };
}
