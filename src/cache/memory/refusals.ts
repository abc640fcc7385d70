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

/** What was asked for: what is refused as a blob may be there as a manifest of the same digest. */
export type AskedFor = 'manifest' | 'blob' | 'list';

/** Lists are asked for by GET alone. */
type Asked = PullRequest & { readonly method?: 'GET' | 'HEAD' };

/** Remembers for a short while that upstream said no, so that a loop of pulls costs it nothing (ARCHITECTURE.md, "Numbers and statuses"). */
export class Refusals {
  readonly #known: TimedMemory<UpstreamFailure>;

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#known = new TimedMemory(clock, failureBound(refusalBytesMax));
  }

  /** What a GET was refused is refused to all; what a HEAD was, to HEADs alone. `subject`: a tag, a digest or a listing's name. */
  find(what: AskedFor, request: Asked, subject: string): UpstreamFailure | undefined {
    const byGet = this.#known.get(keyOf(what, request, subject));
    return byGet ?? (request.method === 'HEAD' ? this.ofHead(what, request, subject) : undefined);
  }

  /** What HEADs alone are refused. */
  ofHead(what: AskedFor, request: PullRequest, subject: string): UpstreamFailure | undefined {
    return this.#known.get(keyOf(what, request, subject, 'HEAD'));
  }

  /** Remembers `notFound` and `denied`; other failures are not. `named`: a digest that a stored manifest of the repository names. */
  note(
    what: AskedFor,
    request: Asked,
    subject: string,
    about: keyof typeof notFoundMs,
    failure: unknown,
  ): void {
    if (!(failure instanceof UpstreamFailure)) return;
    const key = keyOf(what, request, subject, request.method);
    if (failure.kind === 'denied') this.#known.set(key, failure, deniedMs);
    if (failure.kind === 'notFound') this.#known.set(key, failure, notFoundMs[about]);
  }

  /** For how long the request is refused still, in ms; 0 where it is not. */
  leftMs(what: AskedFor, request: Asked, subject: string): number {
    return this.#known.leftMs(keyOf(what, request, subject, request.method));
  }

  clear(): void {
    this.#known.clear();
  }
}

/** By the rule that was refused. */
function keyOf(
  what: AskedFor,
  request: PullRequest,
  subject: string,
  method: Asked['method'] = 'GET',
): string {
  return ruledKey(request, `${method} ${what} ${subject}`);
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
