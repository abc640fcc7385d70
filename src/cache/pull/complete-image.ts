import { TimedMemory } from '../../coordination/timed-memory.ts';
import type { Manifest, Platform } from '../../domain/manifests/manifest.ts';
import { livesElsewhere } from '../../domain/manifests/manifest.ts';
import { parseManifest } from '../../domain/manifests/manifest-parser.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { isAllowed } from '../../domain/rules/name-pattern.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import type { RulesOf } from '../../domain/rules/rule-set.ts';
import { isSameSource } from '../../domain/rules/pull-rule.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { StoredManifest } from '../../metadata/contract/rows.ts';
import type { Downloads } from '../download/downloads.ts';
import { DownloadPaused } from '../download/downloads.ts';
import type { RuledRequest } from '../pull-request.ts';
import { memoryKey } from '../pull-request.ts';
import type { CompletionLine, OpenImage, WaitingManifest } from './completion-lines.ts';
import { addManifest, createLine, nextStep, upstreamOf } from './completion-lines.ts';
import type { ManifestFetcher } from './fetch-manifest.ts';
import type { BlobPuller } from './pull-blob.ts';
import type { PullParts } from './pull-parts.ts';

const knownMax = 50_000;
const retryAfterMs = 60_000;
/** How long an image counts as looked after; what another process has deleted meanwhile is fetched again after it. */
const seenForMs = 86_400_000;
/** Below this share of an upstream's pull quota, no manifest is fetched that nobody asked for. */
const quotaShareMin = 0.2;

export interface CompletionParts extends Pick<
  PullParts,
  'upstream' | 'clock' | 'events' | 'signal'
> {
  readonly repositories: Pick<PullParts['repositories'], 'stamp' | 'findManifest'>;
  readonly fetcher: Pick<ManifestFetcher, 'byDigest'>;
  readonly blobs: Pick<BlobPuller, 'fill'>;
  readonly downloads: Pick<Downloads, 'pauseUnread'>;
  /** Those in force. */
  readonly rules: RulesOf;
}

/** Fetches in the background what an image needs to be whole (ARCHITECTURE.md, "Whole images"). */
export class ImageCompletion implements AsyncDisposable {
  readonly #parts: CompletionParts;
  /** The repository's stamp as it was when the manifest was last put in line. */
  readonly #seen: TimedMemory<number>;
  readonly #lines = new Map<string, CompletionLine>();
  readonly #idlers: (() => void)[] = [];

  constructor(parts: CompletionParts) {
    this.#parts = parts;
    this.#seen = new TimedMemory(parts.clock, { entriesMax: knownMax });
  }

  /** A manifest went out to a GET. Costs one look-up when it was seen before. */
  sent(
    request: RuledRequest,
    { digest }: Pick<StoredManifest, 'digest'>,
    stamp: number = this.#parts.repositories.stamp(request),
  ): void {
    if (request.target.rule.platforms === 'none') return;
    const key = memoryKey(request, digest);
    if (this.#seen.get(key) === stamp) return;
    const { registry, target } = request;
    if (this.#enqueue({ request: { registry, target }, digest, child: false }))
      this.#seen.set(key, stamp, seenForMs);
  }

  /** Resolves when nothing is queued or running. */
  idle(): Promise<void> {
    if (this.#lines.size === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#idlers.push(resolve));
  }

  /** Forgets what was seen, and ends what the rules in force do not ask for any more. */
  clear(): void {
    this.#seen.clear();
    this.endUnasked();
  }

  /** After a change of rules: ends what those in force do not ask for any more. */
  endUnasked(): void {
    for (const line of this.#lines.values()) {
      const asked = line.manifests.filter((waiting) => this.#isAsked(waiting.request));
      line.manifests.splice(0, line.manifests.length, ...asked);
      for (const image of line.unfinished) if (!this.#isAsked(image.request)) end(image);
    }
    const { downloads, rules } = this.#parts;
    downloads.pauseUnread(({ registry, rule }) =>
      rules(registry).rules.some((one) => isSameSource(one, rule)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const line of this.#lines.values()) {
      line.manifests.length = 0;
      for (const image of line.unfinished) end(image);
    }
    await this.idle();
  }

  /** False where there is no room. */
  #enqueue(waiting: WaitingManifest): boolean {
    if (this.#parts.signal.aborted) return false;
    const upstream = upstreamOf(waiting.request.target.rule);
    const line = this.#lines.get(upstream) ?? createLine(waiting.request);
    this.#lines.set(upstream, line);
    if (!addManifest(line, waiting)) return false;
    this.#next(line);
    return true;
  }

  #next(line: CompletionLine): void {
    for (let step = nextStep(line); step !== undefined; step = nextStep(line)) {
      line.running += 1;
      const opening = step.kind === 'open' ? 1 : 0;
      line.opening += opening;
      const done =
        step.kind === 'open'
          ? this.#open(line, step.manifest)
          : this.#fill(line, step.image, step.digest);
      void done.finally(() => {
        line.running -= 1;
        line.opening -= opening;
        this.#next(line);
      });
    }
    if (line.running > 0) return;
    if (this.#lines.get(line.upstream) === line) this.#lines.delete(line.upstream);
    if (this.#lines.size === 0) for (const idle of this.#idlers.splice(0)) idle();
  }

  async #open(line: CompletionLine, { request, digest, child }: WaitingManifest): Promise<void> {
    try {
      const manifest = child
        ? await this.#childManifest(request, digest)
        : await this.#parts.repositories.findManifest(request, digest);
      if (manifest === undefined) return;
      if (child) return this.sent(request, manifest);
      const parsed = parseManifest(manifest.bytes, manifest.mediaType);
      if (parsed.kind === 'index') this.#openIndex(line, request, parsed, digest);
      else this.#openImage(line, request, parsed, digest);
    } catch {
      // Upstream or storage has emitted the failure's own event.
      this.#tryLater(request, digest);
    }
  }

  #openImage(
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
      startedAt: this.#parts.clock.elapsed(),
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
  #openIndex(line: CompletionLine, request: RuledRequest, index: Manifest, digest: Digest): void {
    const { rule } = request.target;
    if (rule.platforms === 'all') this.#openImage(line, request, index, digest);
    for (const child of index.manifests) {
      if (!wants(rule, child.platform)) continue;
      if (!this.#enqueue({ request, digest: child.digest, child: true }))
        return this.#tryLater(request, digest);
    }
  }

  async #childManifest(request: RuledRequest, digest: Digest): Promise<StoredManifest | undefined> {
    const { repositories, fetcher } = this.#parts;
    const known = await repositories.findManifest(request, digest);
    if (known !== undefined || !this.#withinQuota(request.target.rule)) return known;
    return fetcher.byDigest(request, digest).promise;
  }

  #withinQuota(rule: PullRule): boolean {
    const state = this.#parts.upstream.state(upstreamOf(rule), rule);
    if (state === undefined) return true;
    if (state.heldUntil !== undefined) return false;
    return state.limit === undefined || state.limit.remaining >= state.limit.limit * quotaShareMin;
  }

  /** One blob: that it fails is nothing to the others, but where upstream wants to be left alone. */
  async #fill(line: CompletionLine, image: OpenImage, digest: Digest): Promise<void> {
    const { blobs, signal: serverEnds } = this.#parts;
    image.running += 1;
    try {
      const signal = AbortSignal.any([serverEnds, image.ended.signal]);
      const fetched = await blobs.fill({ ...image.request, digest }, signal, true);
      if (fetched) image.bytes += image.sizes.get(digest) ?? 0;
    } catch (error) {
      if (error instanceof DownloadPaused && error.again) putBack(line, image, digest);
      else if (isLeftAlone(error)) end(image);
      else image.failed = true;
    } finally {
      image.running -= 1;
      if (image.running === 0 && image.left.length === 0) this.#finish(line, image);
    }
  }

  #finish(line: CompletionLine, image: OpenImage): void {
    const { events, clock } = this.#parts;
    const { request, digest, bytes } = image;
    line.unfinished.delete(image);
    if (image.failed) return this.#tryLater(request, digest);
    if (image.kind !== 'image' || bytes === 0) return;
    events.emit({
      type: 'imageArrived',
      image: `${request.target.repository}@${digest}`,
      digest,
      bytes,
      durationMs: clock.elapsed() - image.startedAt,
    });
  }

  #tryLater(request: RuledRequest, digest: Digest): void {
    const stamp = this.#parts.repositories.stamp(request);
    this.#seen.set(memoryKey(request, digest), stamp, retryAfterMs);
  }

  /** What a rule in force still asks for. */
  #isAsked({ registry, target }: RuledRequest): boolean {
    const { rules } = this.#parts.rules(registry);
    const rule = rules.find((one) => isSameSource(one, target.rule));
    return (
      rule !== undefined &&
      rule.platforms !== 'none' &&
      isAllowed(rule, target.upstreamRepository, undefined)
    );
  }
}

/** A client took its place: it is tried again after all others. */
function putBack(line: CompletionLine, image: OpenImage, digest: Digest): void {
  image.left.unshift(digest);
  if (!line.images.includes(image)) line.images.push(image);
}

function end(image: OpenImage): void {
  image.failed = true;
  image.left.length = 0;
  image.ended.abort(new Error('completion ended'));
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
