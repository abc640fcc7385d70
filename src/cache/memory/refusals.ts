import { LRUCache } from 'lru-cache';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import type { FailureKind } from '../../domain/upstream-failure.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PullRequest } from '../pull-request.ts';
import { ruledKey } from '../pull-request.ts';
import { failureBound, sizeOfKey } from './memory-size.ts';

/** Names and what upstreams say differ in length. */
const refusalBytesMax = 32 * 1024 * 1024;
const deniedMs = 30_000;
const notFoundMs = {
  tag: 5000,
  digest: 60_000,
  /** What a stored manifest names is there, or on its way: a registry that copies is seconds behind itself. */
  named: 5000,
} as const;

const tryBytesMax = 1024 * 1024;
const messageCharactersMax = 1000;

/** Remembers for a short while that upstream said no, so that a loop of pulls costs it nothing (ARCHITECTURE.md, "Numbers and statuses"). */
export class Refusals {
  readonly #known: TimedMemory<UpstreamFailure>;

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#known = new TimedMemory(clock, failureBound(refusalBytesMax));
  }

  get(key: string): UpstreamFailure | undefined {
    return this.#known.get(key);
  }

  /** Remembers `notFound` and `denied`; other failures are not. `named`: a digest that a stored manifest of the repository names. */
  note(key: string, about: keyof typeof notFoundMs, failure: unknown): void {
    if (!(failure instanceof UpstreamFailure)) return;
    if (failure.kind === 'denied') this.#known.set(key, failure, deniedMs);
    if (failure.kind === 'notFound') this.#known.set(key, failure, notFoundMs[about]);
  }

  /** For how long the key is refused still, in ms; 0 where it is not. */
  leftMs(key: string): number {
    return this.#known.leftMs(key);
  }

  clear(): void {
    this.#known.clear();
  }
}

/** What upstream last refused a pull with. */
export interface LastTry {
  /** Wall time, ms. */
  readonly at: number;
  readonly kind: FailureKind;
  readonly message: string;
  /** Until then pulls are refused without asking again; wall time, ms. Absent where the next one asks. */
  readonly nextAt: number | undefined;
}

/** The last pulls of manifests that failed upstream, by tag or digest, for who wants to know why. Pulls themselves ask `Refusals`. */
export class LastTries {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #tries = new LRUCache<string, LastTry>({
    maxSize: tryBytesMax,
    sizeCalculation: ({ message }, key) => sizeOfKey(key) + sizeOfKey(message),
  });

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** `restMs`: for how long upstream's answer is believed. */
  note(request: PullRequest, subject: string, failure: UpstreamFailure, restMs: number): void {
    const at = this.#clock.now();
    this.#tries.set(ruledKey(request, subject), {
      at,
      kind: failure.kind,
      message: failure.message.slice(0, messageCharactersMax),
      nextAt: restMs > 0 ? at + restMs : undefined,
    });
  }

  find(request: PullRequest, subject: string): LastTry | undefined {
    return this.#tries.get(ruledKey(request, subject));
  }
}
