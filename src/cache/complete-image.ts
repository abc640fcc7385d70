import { LRUCache } from 'lru-cache';
import type { Digest } from '../domain/digest.ts';
import type { Descriptor, Manifest, Platform } from '../domain/manifest.ts';
import { parseManifest } from '../domain/manifest-parser.ts';
import type { PullRule } from '../domain/pull-rule.ts';
import type { StoredManifest } from '../metadata/metadata.ts';
import type { PullRequest } from './cache.ts';
import type { FetchManifestParts, ManifestFetcher, RuledRequest } from './fetch-manifest.ts';
import { memoryKey } from './keys.ts';
import type { BlobFiller } from './pull-blob.ts';

const atOnceMax = 4;
const queueMax = 10_000;
const knownMax = 50_000;
const retryAfterMs = 60_000;
/** Below this share of an upstream's pull quota, no manifest is fetched that nobody asked for. */
const quotaShareMin = 0.2;

/** Fetches in the background what an image needs to be whole (design.md §3, "Completeness"). */
export interface ImageCompletion extends AsyncDisposable {
  /** A manifest went out to a GET. Costs one look-up when it was seen before. */
  sent(request: PullRequest, manifest: StoredManifest): void;
  /** Resolves when nothing is queued or running. */
  idle(): Promise<void>;
  clear(): void;
}

interface Parts extends Pick<
  FetchManifestParts,
  'upstream' | 'memory' | 'changes' | 'clock' | 'events' | 'signal'
> {
  readonly fetcher: ManifestFetcher;
  readonly filler: BlobFiller;
}

type Job = () => Promise<void>;

export function createImageCompletion(parts: Parts): ImageCompletion {
  const seen = new LRUCache<string, { retryAt: number; stamp: number }>({ max: knownMax });
  const queue: Job[] = [];
  const idlers: (() => void)[] = [];
  let running = 0;

  function enqueue(job: Job): void {
    if (queue.length >= queueMax || parts.signal.aborted) return;
    queue.push(job);
    next();
  }

  function next(): void {
    while (running < atOnceMax) {
      const job = queue.shift();
      if (job === undefined) break;
      running += 1;
      void job().finally(() => {
        running -= 1;
        next();
      });
    }
    if (running === 0 && queue.length === 0) for (const idle of idlers.splice(0)) idle();
  }

  function sent(request: PullRequest, manifest: StoredManifest): void {
    const { rule } = request.target;
    if (rule === undefined || rule.platforms === 'none') return;
    const key = memoryKey(request, manifest.digest);
    const known = seen.get(key);
    const stamp = parts.changes.stamp(request);
    if (known?.stamp === stamp && known.retryAt > parts.clock.elapsed()) return;
    seen.set(key, { retryAt: Number.POSITIVE_INFINITY, stamp });
    const ruled = { registry: request.registry, target: { ...request.target, rule } };
    enqueue(() => complete(ruled, manifest, key));
  }

  async function complete(
    request: RuledRequest,
    manifest: StoredManifest,
    key: string,
  ): Promise<void> {
    const startedAt = parts.clock.elapsed();
    try {
      const parsed = parseManifest(manifest.bytes, manifest.mediaType);
      if (parsed.kind === 'index') return completeIndex(request, parsed);
      const blobs = blobsOf(parsed);
      let bytes = 0;
      for (const blob of blobs) {
        const fetched = await parts.filler.fill({ ...request, digest: blob.digest }, parts.signal);
        if (fetched) bytes += blob.size;
      }
      const image = `${request.target.repository}@${manifest.digest}`;
      const durationMs = parts.clock.elapsed() - startedAt;
      if (parsed.kind === 'image' && bytes > 0) {
        parts.events.emit({
          type: 'imageArrived',
          image,
          digest: manifest.digest,
          bytes,
          durationMs,
        });
      }
    } catch {
      // The failure was told by upstream's or storage's own event; a later pull tries again.
      const stamp = parts.changes.stamp(request);
      seen.set(key, { retryAt: parts.clock.elapsed() + retryAfterMs, stamp });
    }
  }

  /** The children that the rule wants whole, each a job of its own. */
  function completeIndex(request: RuledRequest, index: Manifest): void {
    const { rule } = request.target;
    for (const child of index.manifests) {
      if (!wants(rule, child.platform)) continue;
      enqueue(async () => {
        const manifest = await childManifest(request, child.digest);
        if (manifest !== undefined) sent(request, manifest);
      });
    }
  }

  async function childManifest(
    request: RuledRequest,
    digest: Digest,
  ): Promise<StoredManifest | undefined> {
    try {
      const held = await parts.memory.findManifest(request, digest);
      if (held !== undefined || !withinQuota(request.target.rule)) return held;
      return await parts.fetcher.fetch(request, { kind: 'digest', digest }).promise;
    } catch {
      return undefined;
    }
  }

  function withinQuota(rule: PullRule): boolean {
    const state = parts.upstream.state(rule.urls[0]?.host ?? '', rule);
    if (state === undefined) return true;
    if (state.heldUntil !== undefined && state.heldUntil > parts.clock.now()) return false;
    return state.limit === undefined || state.limit.remaining >= state.limit.limit * quotaShareMin;
  }

  return {
    sent,
    idle: () =>
      running === 0 && queue.length === 0
        ? Promise.resolve()
        : new Promise((resolve) => void idlers.push(resolve)),
    clear: () => seen.clear(),
    [Symbol.asyncDispose]: async () => {
      queue.length = 0;
      if (running > 0) await new Promise<void>((resolve) => void idlers.push(resolve));
    },
  };
}

/** Config and layers with bytes at this registry; layers with `urls` live elsewhere and are never fetched. */
function blobsOf(manifest: Manifest): readonly Descriptor[] {
  const config = manifest.config === undefined ? [] : [manifest.config];
  const unique = new Map([...config, ...manifest.layers].map((blob) => [blob.digest, blob]));
  return [...unique.values()].filter((blob) => blob.urls === undefined || blob.urls.length === 0);
}

/** `all`, or a list that names the child's platform: `linux/amd64`, `linux/arm64/v8`; a list entry without variant fits any. */
function wants(rule: PullRule, platform: Platform | undefined): boolean {
  if (rule.platforms === 'all') return true;
  if (rule.platforms === 'none' || rule.platforms === 'requested' || platform === undefined)
    return false;
  const { os, architecture, variant } = platform;
  return rule.platforms.some(
    (wanted) =>
      wanted === `${os}/${architecture}` || wanted === `${os}/${architecture}/${variant ?? ''}`,
  );
}
