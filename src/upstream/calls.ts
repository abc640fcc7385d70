import type { FairMemory } from '../coordination/fair-memory.ts';
import { startDeadline } from '../coordination/waiting.ts';
import { failure, UpstreamFailure } from '../domain/upstream-failure.ts';
import type { Events, UpstreamRequestKind } from '../ports/events.ts';
import type { AskingParts, Found, Place } from './asking.ts';
import { ask } from './asking.ts';
import { deadlinesMs } from './wire/deadlines.ts';
import type { Answer } from './wire/exchange.ts';
import { forOperators } from './failures.ts';
import type { Hosts } from './wire/hosts.ts';
import type { Lanes } from './wire/lanes.ts';
import type { Origin } from '../ports/upstream.ts';

/** What the calls of the port share. */
export interface Calls extends AskingParts {
  readonly events: Events;
  readonly hosts: Hosts;
  readonly quick: Lanes;
  readonly blobs: Lanes;
  /** Of lists while they are read. */
  readonly lists: FairMemory;
}

/** Requests for manifests, tags and the like that one host sees at a time. */
const quickMax = 32;

/** A request for little: in the lane of its host that no blob takes, whole within 30 s, its failure reported once. */
export async function smallRequest<Value>(
  calls: Calls,
  origin: Origin,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const { host } = origin.url;
  const late = (): Error =>
    failure(`${host}: not whole within ${deadlinesMs.whole} ms`, 'timeout', 'totalTimeout', host);
  try {
    calls.wire.assertNotHeld(host, origin);
    using deadline = startDeadline(calls.clock, deadlinesMs.whole, late, signal);
    using _slot = await calls.quick.enter(
      host,
      { limit: quickMax, wanted: true, waits: () => throttled(calls, host) },
      deadline.signal,
    );
    return await work(deadline.signal);
  } catch (error) {
    reportFailure(calls, host, error);
    throw error;
  }
}

export interface OriginRequest {
  readonly repository: string;
  readonly kind: UpstreamRequestKind;
  readonly method: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks the rule's own origin for a path. */
export async function askOrigin(
  calls: Calls,
  origin: Origin,
  request: OriginRequest & { readonly path: string },
  signal: AbortSignal,
): Promise<Answer> {
  const { answer } = await askAt(calls, origin, request, ownPlace(origin, request.path), signal);
  return answer;
}

/** Asks from a place on, and says where the answer came from. */
export function askAt(
  calls: Calls,
  origin: Origin,
  { repository, kind, method, headers = {} }: OriginRequest,
  from: Place,
  signal: AbortSignal,
): Promise<Found> {
  const { firstByte: firstByteMs } = deadlinesMs;
  const question = {
    origin,
    repository,
    kind,
    method,
    headers,
    pool: 'quick',
    firstByteMs,
  } as const;
  return ask(calls, question, from, signal);
}

export function ownPlace(origin: Origin, path: string): Place {
  return { url: new URL(path, origin.url.origin), own: true };
}

/** A failure goes to telemetry and to the host's state; other errors, the caller's own abort among them, are not reported. */
export function reportFailure(calls: Calls, upstream: string, error: unknown): void {
  if (!(error instanceof UpstreamFailure)) return;
  const { kind, reason } = error;
  const message = forOperators(error);
  calls.events.emit({ type: 'upstreamFailed', upstream, kind, reason, message });
  // An absence is an answer; a hold and an open breaker are consequences, their causes were reported.
  const says = kind !== 'notFound' && kind !== 'rateLimited' && reason !== 'breakerOpen';
  // A rule that asks nobody says nothing of the host.
  if (says && reason !== 'blocked') calls.hosts.of(upstream, upstream).failed(error);
}

export function throttled(calls: Calls, upstream: string): void {
  calls.events.emit({ type: 'throttled', upstream, reason: 'connections' });
}

export function received(calls: Calls, upstream: string, bytes: number): void {
  if (bytes > 0) calls.events.emit({ type: 'upstreamReceived', upstream, bytes });
}
