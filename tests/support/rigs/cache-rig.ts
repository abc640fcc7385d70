import { explainAnonymous } from '../../../src/access/authorize/anonymous.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCache } from '../../../src/cache/create-cache.ts';
import type { CacheLimits, CacheParts, RunningCache } from '../../../src/cache/create-cache.ts';
import { ruleDefaults } from '../../../src/domain/rules/builtin-rules.ts';
import type { ByteSource, ByteSpan } from '../../../src/domain/byte-source.ts';
import type { PullRule, PullTarget } from '../../../src/domain/rules/pull-rule.ts';
import { parseReference } from '../../../src/domain/names/reference.ts';
import { homeRegistry } from '../samples/home-registry.ts';
import { parseRepositoryName } from '../../../src/domain/names/repository-name.ts';
import { createRuleSet } from '../../../src/domain/rules/rule-set.ts';
import { openSqliteMetadata } from '../../../src/metadata/engine/sqlite.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import type { Event } from '../../../src/ports/events.ts';
import type { Invalidations } from '../../../src/ports/invalidations.ts';
import type { Upstream } from '../../../src/ports/upstream.ts';
import { createMemoryStorage } from './memory-storage.ts';
import type { Storage } from '../../../src/storage/file-storage.ts';
import { createFakeClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';
import { createScriptedUpstream } from '../upstreams/scripted-upstream.ts';
import type { ScriptedUpstream } from '../upstreams/scripted-upstream.ts';
import type { PullRequest } from '../../../src/cache/pull-request.ts';
import { rulesOfHome } from './home-rules.ts';
import { createTestInvalidations } from './invalidations.ts';

/** A cache on in-memory storage, real SQLite, a scripted upstream and a clock turned by hand. */
export interface CacheRig extends AsyncDisposable {
  readonly cache: RunningCache;
  readonly upstream: ScriptedUpstream;
  readonly clock: FakeClock;
  readonly metadata: Metadata;
  readonly storage: Storage;
  readonly events: Event[];
  readonly invalidations: Invalidations;
  readonly signal: AbortSignal;
  request(name: string): PullRequest;
  /** As a reload with these rules does; `request` goes by the first ones. */
  reload(rules: readonly PullRule[]): void;
  /** The same, and `request` goes by these. */
  setRules(rules: readonly PullRule[]): void;
  manifest(
    name: string,
    reference: string,
    method?: 'GET' | 'HEAD',
  ): ReturnType<RunningCache['pullManifest']>;
  blob(name: string, digest: string, method?: 'GET' | 'HEAD'): ReturnType<RunningCache['pullBlob']>;
}

export function testRule(change: Partial<PullRule> = {}): PullRule {
  return {
    ...ruleDefaults,
    prefix: 'up',
    origin: 'file',
    urls: [{ origin: 'http://upstream', host: 'upstream', plain: true }],
    upstreamHost: 'upstream',
    platforms: 'none',
    ...change,
  };
}

export const testLimits: CacheLimits = {
  parallelAboveBytes: 256 * 1024,
  pieceBytes: 64 * 1024,
  connectionsPerBlob: 4,
  minFree: { bytes: 0 },
  maxBlobBytes: 1024 ** 3,
  downloadsMax: 256,
  pushSettings: () => ({ createOnPush: true, sparseIndexes: false }),
};

export interface RigOptions {
  readonly rules?: readonly PullRule[];
  readonly limits?: Partial<CacheLimits>;
  readonly ownHosts?: readonly string[];
  readonly upstream?: ScriptedUpstream;
  /** A real client in place of the scripted upstream; the caller's to dispose. */
  readonly client?: (parts: Pick<CacheParts, 'clock' | 'events'>) => Upstream;
  readonly storage?: Storage;
  /** The metadata that the cache sees: with calls that fail, say. */
  readonly around?: (metadata: Metadata) => Metadata;
}

export async function createCacheRig(options: RigOptions = {}): Promise<CacheRig> {
  const folder = await mkdtemp(join(tmpdir(), 'breakwater-cache-'));
  const clock = createFakeClock();
  const upstream = options.upstream ?? createScriptedUpstream();
  const storage = options.storage ?? (await createMemoryStorage());
  const stored = await openSqliteMetadata(join(folder, 'metadata.sqlite'));
  const metadata = options.around?.(stored) ?? stored;
  const events: Event[] = [];
  let rules = createRuleSet(options.rules ?? [testRule()]);
  let inForce = rules;
  const told = { emit: (event: Event) => void events.push(event) };
  const client = options.client?.({ clock, events: told }) ?? upstream;
  const invalidations = createTestInvalidations();
  const cache = createCache(
    {
      metadata,
      ...storage,
      upstream: client,
      clock,
      events: told,
      invalidations,
      registry: homeRegistry,
      rules: rulesOfHome(() => inForce),
      ownHosts: () => new Set(options.ownHosts),
      anonymousAccess: explainAnonymous,
    },
    { ...testLimits, ...options.limits },
  );
  const signal = new AbortController().signal;
  const request = (name: string): PullRequest => ({
    registry: homeRegistry,
    target: rules.byPath(name) ?? withoutRule(name),
  });
  return {
    cache,
    upstream,
    clock,
    metadata,
    storage,
    events,
    invalidations,
    signal,
    request,
    reload: (next) => {
      inForce = createRuleSet(next);
      invalidations.note({ kind: 'configuration' });
    },
    setRules: (next) => {
      rules = createRuleSet(next);
      inForce = rules;
      invalidations.note({ kind: 'configuration' });
    },
    manifest: (name, text, method = 'GET') => {
      const reference = parseReference(text);
      if (reference === undefined) throw new Error(`no reference: ${text}`);
      return cache.pullManifest({ ...request(name), reference, method }, signal);
    },
    blob: (name, text, method = 'GET') => {
      const reference = parseReference(text);
      if (reference?.kind !== 'digest') throw new Error(`no digest: ${text}`);
      return cache.pullBlob({ ...request(name), digest: reference.digest, method }, signal);
    },
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]();
      await stored[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function withoutRule(name: string): PullTarget {
  const repository = parseRepositoryName(name);
  if (repository === undefined) throw new Error(`no name: ${name}`);
  return { rule: undefined, repository, upstreamRepository: repository };
}

/** Reads a source to its end. */
export async function readAll(
  source: ByteSource | undefined,
  span?: ByteSpan,
  blockBytes = 50_000,
): Promise<Buffer> {
  if (source === undefined) throw new Error('there is nothing to read');
  await using reader = await source.open(span, new AbortController().signal);
  const blocks: Buffer[] = [];
  const block = Buffer.alloc(blockBytes);
  for (;;) {
    const bytes = await reader.read(block);
    if (bytes === 0) return Buffer.concat(blocks);
    blocks.push(Buffer.from(block.subarray(0, bytes)));
  }
}

/** Bytes that no compression or repetition hides. */
export function randomBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

/** Compares bytes without printing them: a difference of two large buffers takes gigabytes to show. */
export function assertBytes(actual: unknown, expected: Uint8Array, what = 'the bytes'): void {
  if (!(actual instanceof Uint8Array)) throw new Error(`${what}: ${String(actual)}`);
  if (!Buffer.from(expected.buffer, expected.byteOffset, expected.length).equals(actual)) {
    throw new Error(`${what} differ: ${actual.length} bytes, expected ${expected.length}`);
  }
}
