import { parseReference } from '../../../src/domain/names/reference.ts';
import type { Reference } from '../../../src/domain/names/reference.ts';
import { parseRepositoryName } from '../../../src/domain/names/repository-name.ts';
import { ruleDefaults } from '../../../src/domain/rules/builtin-rules.ts';
import type { PullRule, UpstreamUrl } from '../../../src/domain/rules/pull-rule.ts';
import { UpstreamFailure } from '../../../src/domain/upstream-failure.ts';
import type { Event } from '../../../src/ports/events.ts';
import type { Upstream, UpstreamTarget } from '../../../src/ports/upstream.ts';
import { createUpstream } from '../../../src/upstream/client.ts';
import type { UpstreamOptions } from '../../../src/upstream/client.ts';
import type { Stage } from '../upstreams/stage.ts';
import { createFakeClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';

/** An upstream client under test, on a clock that stands still; every name leads to a public address that is really loopback. */
export interface Rig extends AsyncDisposable {
  readonly upstream: Upstream;
  readonly clock: FakeClock;
  readonly events: Event[];
  of<Type extends Event['type']>(type: Type): Extract<Event, { type: Type }>[];
}

export const publicAddress = '203.0.113.10';

export function createRig(options: Partial<UpstreamOptions> = {}): Rig {
  const clock = createFakeClock();
  const events: Event[] = [];
  const upstream = createUpstream({
    clock,
    events: { emit: (event) => void events.push(event) },
    env: {},
    lookup: async () => [{ address: publicAddress, family: 4 }],
    dial: (address) => (address === publicAddress ? '127.0.0.1' : address),
    ...options,
  });
  return {
    upstream,
    clock,
    events,
    of: (type) => events.filter((event) => event.type === type) as never,
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  };
}

export function urlOf(origin: string): UpstreamUrl {
  const url = new URL(origin);
  return { origin: url.origin, host: url.host, plain: url.protocol === 'http:' };
}

export function ruleOf(origin: string, more: Partial<PullRule> = {}): PullRule {
  const url = urlOf(origin);
  return {
    ...ruleDefaults,
    prefix: 'test',
    origin: 'file',
    urls: [url],
    upstreamHost: url.host,
    ...more,
  };
}

/** A repository of `registry.vendor.com`, which is the stage. */
export function targetAt(
  stage: Stage,
  more: Partial<PullRule> = {},
  repository = 'team/app',
): UpstreamTarget {
  return targetOf(ruleOf(`http://registry.vendor.com:${stage.port}`, more), repository);
}

export function targetOf(
  rule: PullRule,
  repository = 'team/app',
  url: UpstreamUrl = rule.urls[0]!,
): UpstreamTarget {
  return { rule, url, repository: parseRepositoryName(repository)! };
}

export const secret = { name: 'vendor', username: 'robot', accessToken: 'sesame-open-42' };

/** What a Basic header holds for `secret`. */
export const secretBasic: string = `Basic ${Buffer.from('robot:sesame-open-42').toString('base64')}`;

export function reference(text: string): Reference {
  return parseReference(text)!;
}

export const latest: Reference = reference('latest');

export const never: AbortSignal = new AbortController().signal;

/** Waits for a rejection and answers the failure; anything else fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<UpstreamFailure> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UpstreamFailure) return error;
    throw new Error('not an UpstreamFailure', { cause: error });
  }
  throw new Error('nothing failed');
}

export async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const read: Uint8Array[] = [];
  for await (const chunk of chunks) read.push(chunk);
  return Buffer.concat(read);
}
