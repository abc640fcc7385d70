import { LRUCache } from 'lru-cache';
import type { UpstreamFailure } from '../domain/upstream-failure.ts';
import type { Clock } from '../ports/clock.ts';
import type { UpstreamLimit, UpstreamState } from '../ports/upstream.ts';
import { type Breaker, type BreakerState, createBreaker } from './breaker.ts';

/** What is known of one host: its breaker, its hold after a 429, its quota and its last answers. */
export interface Host {
  readonly name: string;
  readonly breaker: Breaker;
  /** Milliseconds until it may be asked again; 0 when it is not held. */
  heldMs(): number;
  hold(ms: number): void;
  /** `undefined`: it no longer says that there is one. */
  observe(limit: UpstreamLimit | undefined): void;
  succeeded(): void;
  failed(failure: UpstreamFailure): void;
}

export interface Hosts {
  of(name: string): Host;
  /** Says that a rule names this host: of other hosts, which upstreams choose, telemetry is told nothing. */
  claim(name: string): void;
  state(name: string): UpstreamState | undefined;
  /** Forgets breakers and holds; quotas and last answers stay. */
  reset(): void;
}

interface Entry {
  readonly host: Host;
  state(): UpstreamState;
  forget(): void;
}

const hostsMax = 1000;

/** `changed` is told when the breaker of a claimed host opens, half-opens or closes. */
export function createHosts(
  clock: Clock,
  changed: (host: string, state: BreakerState) => void,
): Hosts {
  const entries = new LRUCache<string, Entry>({ max: hostsMax });
  const claimed = new LRUCache<string, true>({ max: hostsMax });
  const tell = (name: string, state: BreakerState): void => {
    if (claimed.has(name)) changed(name, state);
  };
  return {
    of(name) {
      const kept = entries.get(name);
      if (kept !== undefined) return kept.host;
      const entry = createEntry(name, clock, tell);
      entries.set(name, entry);
      return entry.host;
    },
    claim: (name) => void claimed.set(name, true),
    state: (name) => entries.peek(name)?.state(),
    reset() {
      for (const entry of entries.values()) entry.forget();
    },
  };
}

function createEntry(
  name: string,
  clock: Clock,
  changed: (host: string, state: BreakerState) => void,
): Entry {
  const breaker = createBreaker(clock, (state) => changed(name, state));
  let heldUntil = 0;
  let limit: UpstreamLimit | undefined;
  let lastSuccessAt: number | undefined;
  let lastFailure: { readonly at: number; readonly message: string } | undefined;
  const heldMs = (): number => Math.max(heldUntil - clock.elapsed(), 0);
  return {
    host: {
      name,
      breaker,
      heldMs,
      hold: (ms) => (heldUntil = Math.max(heldUntil, clock.elapsed() + ms)),
      observe: (seen) => (limit = seen),
      succeeded: () => (lastSuccessAt = clock.now()),
      failed: (failure) => (lastFailure = { at: clock.now(), message: failure.message }),
    },
    state() {
      const held = heldMs();
      return {
        upstream: name,
        breaker: breaker.state,
        heldUntil: held > 0 ? clock.now() + held : undefined,
        lastSuccessAt,
        lastFailure,
        limit,
      };
    },
    forget() {
      breaker.reset();
      heldUntil = 0;
    },
  };
}
