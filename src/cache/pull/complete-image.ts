import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { livesElsewhere, type Manifest, type Platform } from '../../domain/manifests/manifest.ts';
import { parseManifest } from '../../domain/manifests/manifest-parser.ts';
import { isAllowed } from '../../domain/rules/name-pattern.ts';
import { isSameSource, type PullRule } from '../../domain/rules/pull-rule.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { StoredManifest } from '../../metadata/contract/metadata.ts';
import {
  addManifest,
  type CompletionLine,
  createLine,
  nextStep,
  type OpenImage,
  upstreamOf,
  type WaitingManifest,
} from './completion-lines.ts';
import { DownloadPaused, type Downloads } from '../download/downloads.ts';
import type { FetchManifestParts, ManifestFetcher } from './fetch-manifest.ts';
import type { BlobFiller } from './pull-blob.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { memoryKey } from '../pull-request.ts';

const knownMax = 50_000;
const retryAfterMs = 60_000;
/** Below this share of an upstream's pull quota, no manifest is fetched that nobody asked for. */
const quotaShareMin = 0.2;

/** Fetches in the background what an image needs to be whole (ARCHITECTURE.md, "Whole images"). */
export interface ImageCompletion extends AsyncDisposable {
  /** A manifest went out to a GET. Costs one look-up when it was seen before. */
  sent(request: PullRequest, manifest: StoredManifest): void;
  /** Resolves when nothing is queued or running. */
  idle(): Promise<void>;
  /** Forgets what was seen, and ends what the rules in force do not ask for any more. */
  clear(): void;
}

interface Parts extends Pick<
  FetchManifestParts,
  'upstream' | 'memory' | 'changes' | 'clock' | 'events' | 'signal'
> {
  readonly fetcher: ManifestFetcher;
  readonly filler: BlobFiller;
  readonly downloads: Pick<Downloads, 'pauseUnread'>;
  /** Those in force. */
  readonly rules: () => readonly PullRule[];
}

export function createImageCompletion(parts: Parts): ImageCompletion {
  const seen = new LRUCache<string, { retryAt: number; stamp: number }>(atMost(knownMax));
  const lines = new Map<string, CompletionLine>();
  const idlers: (() => void)[] = [];

  function sent(request: PullRequest, manifest: Pick<StoredManifest, 'digest'>): void {
    const { rule } = request.target;
    if (rule === undefined || rule.platforms === 'none') return;
    const key = memoryKey(request, manifest.digest);
    const known = seen.get(key);
    const stamp = parts.changes.stamp(request);
    if (known?.stamp === stamp && known.retryAt > parts.clock.elapsed()) return;
    const ruled = { registry: request.registry, target: { ...request.target, rule } };
    if (enqueue({ request: ruled, digest: manifest.digest, child: false }))
      seen.set(key, { retryAt: Number.POSITIVE_INFINITY, stamp });
  }

  /** False where there is no room. */
  function enqueue(waiting: WaitingManifest): boolean {
    if (parts.signal.aborted) return false;
    const upstream = upstreamOf(waiting.request.target.rule);
    const line = lines.get(upstream) ?? createLine(waiting.request);
    lines.set(upstream, line);
    if (!addManifest(line, waiting)) return false;
    next(line);
    return true;
  }

  function next(line: CompletionLine): void {
    for (let step = nextStep(line); step !== undefined; step = nextStep(line)) {
      line.running += 1;
      const opening = step.kind === 'open' ? 1 : 0;
      line.opening += opening;
      const done =
        step.kind === 'open' ? open(line, step.manifest) : fill(line, step.image, step.digest);
      void done.finally(() => {
        line.running -= 1;
        line.opening -= opening;
        next(line);
      });
    }
    if (line.running > 0) return;
    if (lines.get(line.upstream) === line) lines.delete(line.upstream);
    if (lines.size === 0) for (const idle of idlers.splice(0)) idle();
  }

  async function open(line: CompletionLine, waiting: WaitingManifest): Promise<void> {
    const { request, digest, child } = waiting;
    try {
      const manifest = child
        ? await childManifest(request, digest)
        : await parts.memory.findManifest(request, digest);
      if (manifest === undefined) return;
      if (child) return sent(request, manifest);
      const parsed = parseManifest(manifest.bytes, manifest.mediaType);
      if (parsed.kind === 'index') openIndex(line, request, parsed, digest);
      else openImage(line, request, parsed, digest);
    } catch {
      // The failure was told by upstream's or storage's own event.
      tryLater(request, digest, retryAfterMs);
    }
  }

  function openImage(
    line: CompletionLine,
    request: RuledRequest,
    manifest: Manifest,
    digest: Digest,
  ): void {
    const sizes = blobsOf(manifest);
    if (sizes.size === 0) return;
    const image: OpenImage = {
      request,
      digest,
      kind: manifest.kind,
      startedAt: parts.clock.elapsed(),
      left: [...sizes.keys()].toReversed(),
      sizes,
      running: 0,
      bytes: 0,
      failed: false,
      ended: new AbortController(),
    };
    line.images.push(image);
    line.unfinished.add(image);
  }

  /** The children that the rule wants whole, each of them in line by itself; BuildKit's cache has its layers there. */
  function openIndex(
    line: CompletionLine,
    request: RuledRequest,
    index: Manifest,
    digest: Digest,
  ): void {
    const { rule } = request.target;
    if (rule.platforms === 'all') openImage(line, request, index, digest);
    for (const child of index.manifests) {
      if (!wants(rule, child.platform)) continue;
      if (!enqueue({ request, digest: child.digest, child: true }))
        return tryLater(request, digest, retryAfterMs);
    }
  }

  async function childManifest(
    request: RuledRequest,
    digest: Digest,
  ): Promise<StoredManifest | undefined> {
    const held = await parts.memory.findManifest(request, digest);
    if (held !== undefined || !withinQuota(request.target.rule)) return held;
    return parts.fetcher.fetch(request, { kind: 'digest', digest }).promise;
  }

  function withinQuota(rule: PullRule): boolean {
    const state = parts.upstream.state(upstreamOf(rule), rule);
    if (state === undefined) return true;
    if (state.heldUntil !== undefined) return false;
    return state.limit === undefined || state.limit.remaining >= state.limit.limit * quotaShareMin;
  }

  /** One blob: that it fails is nothing to the others, but where upstream wants to be left alone. */
  async function fill(line: CompletionLine, image: OpenImage, digest: Digest): Promise<void> {
    image.running += 1;
    try {
      const signal = AbortSignal.any([parts.signal, image.ended.signal]);
      const fetched = await parts.filler.fill({ ...image.request, digest }, signal, true);
      if (fetched) image.bytes += image.sizes.get(digest) ?? 0;
    } catch (error) {
      if (error instanceof DownloadPaused && error.again) putBack(line, image, digest);
      else if (isLeftAlone(error)) end(image);
      else image.failed = true;
    } finally {
      image.running -= 1;
      if (image.running === 0 && image.left.length === 0) finish(line, image);
    }
  }

  /** It had to give its place to a client: behind all others it has another try. */
  function putBack(line: CompletionLine, image: OpenImage, digest: Digest): void {
    image.left.unshift(digest);
    if (!line.images.includes(image)) line.images.push(image);
  }

  function end(image: OpenImage): void {
    image.failed = true;
    image.left.length = 0;
    image.ended.abort(new Error('completion ended'));
  }

  function finish(line: CompletionLine, image: OpenImage): void {
    const { request, digest, bytes } = image;
    line.unfinished.delete(image);
    if (image.failed) return tryLater(request, digest, retryAfterMs);
    if (image.kind !== 'image' || bytes === 0) return;
    parts.events.emit({
      type: 'imageArrived',
      image: `${request.target.repository}@${digest}`,
      digest,
      bytes,
      durationMs: parts.clock.elapsed() - image.startedAt,
    });
  }

  function tryLater(request: RuledRequest, digest: Digest, ms: number): void {
    const stamp = parts.changes.stamp(request);
    seen.set(memoryKey(request, digest), { retryAt: parts.clock.elapsed() + ms, stamp });
  }

  /** What a rule in force still asks for. */
  function isAsked({ target }: RuledRequest): boolean {
    const rule = parts.rules().find((one) => isSameSource(one, target.rule));
    return (
      rule !== undefined &&
      rule.platforms !== 'none' &&
      isAllowed(rule, target.upstreamRepository, undefined)
    );
  }

  function clear(): void {
    seen.clear();
    for (const line of lines.values()) {
      const asked = line.manifests.filter((waiting) => isAsked(waiting.request));
      line.manifests.splice(0, line.manifests.length, ...asked);
      for (const image of line.unfinished) if (!isAsked(image.request)) end(image);
    }
    parts.downloads.pauseUnread((rule) => parts.rules().some((one) => isSameSource(one, rule)));
  }

  return {
    sent,
    clear,
    idle: () =>
      lines.size === 0 ? Promise.resolve() : new Promise((resolve) => void idlers.push(resolve)),
    [Symbol.asyncDispose]: async () => {
      for (const line of lines.values()) {
        line.manifests.length = 0;
        for (const image of line.unfinished) end(image);
      }
      if (lines.size > 0) await new Promise<void>((resolve) => void idlers.push(resolve));
    },
  };
}

/** 429 and an open breaker: whatever is asked next is refused too. */
function isLeftAlone(error: unknown): boolean {
  return (
    error instanceof UpstreamFailure &&
    (error.kind === 'rateLimited' || error.reason === 'breakerOpen')
  );
}

/** Sizes of config and layers with bytes at this registry, in the manifest's order. */
function blobsOf({ config, layers }: Manifest): ReadonlyMap<Digest, number> {
  const all = config === undefined ? layers : [config, ...layers];
  return new Map(
    all.filter((blob) => !livesElsewhere(blob)).map((blob) => [blob.digest, blob.size]),
  );
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
