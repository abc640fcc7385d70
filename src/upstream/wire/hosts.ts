import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { UpstreamLimit, UpstreamState } from '../../ports/upstream.ts';
import type { Breaker, BreakerState } from './breaker.ts';
import { createBreaker } from './breaker.ts';
import { Holds } from './holds.ts';

const hostsMax = 1000;

/** What is known of one host: its breaker, its holds after a 429, its quota and its last answers. */
export class Host {
  readonly name: string;
  readonly breaker: Breaker;
  readonly holds: Holds;
  readonly #clock: Clock;
  #limit: UpstreamLimit | undefined;
  #lastSuccessAt: number | undefined;
  #lastFailure: UpstreamState['lastFailure'];
  #last: UpstreamState['last'];

  constructor(name: string, clock: Clock, changed: (host: string, state: BreakerState) => void) {
    this.name = name;
    this.#clock = clock;
    this.breaker = createBreaker(clock, (state) => changed(name, state));
    this.holds = new Holds(clock);
  }

  /** `undefined`: it no longer says that there is one. */
  observe(limit: UpstreamLimit | undefined): void {
    this.#limit = limit;
  }

  succeeded(): void {
    this.#lastSuccessAt = this.#clock.now();
    this.#last = 'success';
  }

  failed({ message }: UpstreamFailure): void {
    this.#lastFailure = { at: this.#clock.now(), message };
    this.#last = 'failure';
  }

  /** With a credential's key: as far as that one is held. */
  state(credentialKey: string | undefined): UpstreamState {
    const now = this.#clock.now();
    const heldMs = this.holds.heldMs(credentialKey);
    const { state: breaker, restMs } = this.breaker;
    return {
      upstream: this.name,
      breaker,
      restsUntil: restMs > 0 ? now + restMs : undefined,
      heldUntil: heldMs > 0 ? now + heldMs : undefined,
      lastSuccessAt: this.#lastSuccessAt,
      lastFailure: this.#lastFailure,
      last: this.#last,
      limit: this.#limit,
    };
  }

  /** Forgets breaker and holds; quota and last answers stay. */
  reset(): void {
    this.breaker.reset();
    this.holds.clear();
  }
}

export class Hosts {
  readonly #clock: Clock;
  readonly #changed: (host: string, state: BreakerState) => void;
  readonly #own = new LRUCache<string, Host>(atMost(hostsMax));
  readonly #elsewhere = new LRUCache<string, Host>(atMost(hostsMax));

  /** `changed` is called when the breaker of a rule's own host opens, half-opens or closes; those of hosts that upstreams choose are not reported. */
  constructor(clock: Clock, changed: (host: string, state: BreakerState) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /**
   * `of` is the host of a rule's URL, `name` the one that is asked for it. Where an upstream's redirects and realms lead is known
   * apart for each upstream: it chooses the paths that are asked there, and what fails by them stops nobody else.
   */
  of(name: string, of: string): Host {
    const isOwn = name === of;
    const [hosts, key] = isOwn ? [this.#own, name] : [this.#elsewhere, `${of} ${name}`];
    const known = hosts.get(key);
    if (known !== undefined) return known;
    const host = new Host(name, this.#clock, isOwn ? this.#changed : () => {});
    hosts.set(key, host);
    return host;
  }

  /** Of a rule's own host; `undefined` where it was never asked. */
  state(name: string, credentialKey?: string): UpstreamState | undefined {
    return this.#own.peek(name)?.state(credentialKey);
  }

  reset(): void {
    for (const host of [...this.#own.values(), ...this.#elsewhere.values()]) host.reset();
  }
}
