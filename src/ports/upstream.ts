import type { Digest } from '../domain/names/digest.ts';
import type { Descriptor } from '../domain/manifests/manifest.ts';
import type { PullRule, UpstreamUrl } from '../domain/rules/pull-rule.ts';
import type { Reference } from '../domain/names/reference.ts';
import type { RepositoryName } from '../domain/names/repository-name.ts';

/** Which of a rule's URLs is asked. */
export interface Origin {
  readonly rule: PullRule;
  readonly url: UpstreamUrl;
}

/** Which repository there. */
export interface UpstreamTarget extends Origin {
  /** The name at the upstream: `library/nginx`. */
  readonly repository: RepositoryName;
}

export interface ManifestHead {
  /** Absent when upstream sent no Docker-Content-Digest. */
  readonly digest: Digest | undefined;
  readonly mediaType: string | undefined;
  readonly size: number | undefined;
}

export interface FetchedManifest {
  /** Computed from the bytes (in the asked digest's algorithm, else sha256), never taken from a header. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** Where a blob's bytes really are, after redirects; opaque, reusable for further ranges of the same blob. */
export interface BlobLocation {
  readonly resolved: unique symbol;
}

export interface BlobBody extends AsyncDisposable {
  /** Position of the first byte that `chunks` gives: 0 when upstream ignored the range. */
  readonly start: number;
  /** The blob's whole size; absent when upstream does not say. */
  readonly total: number | undefined;
  /** True for a 206: `chunks` ends where the asked range ends. */
  readonly partial: boolean;
  /** True when upstream answered 206, or a 200 with `Accept-Ranges: bytes`. */
  readonly ranges: boolean;
  readonly location: BlobLocation;
  /** Milliseconds from the question to the answer's head, without what it waited for a connection: a round trip, more where redirects or tokens came first. */
  readonly answeredAfterMs: number;
  /** Ends exactly at the end of the answered span; throws `UpstreamFailure` on a break, an idle deadline or a wrong length. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** A connection that a taker was given; `openBlob` takes it over. */
export interface BlobPlace extends Disposable {
  readonly place: unique symbol;
}

/** Who waits for a blob's bytes. Read when a connection is given out: what a client waits for comes first. */
export interface BlobDemand {
  readonly wanted: boolean;
}

/** A blob that gains from further connections. */
export interface PlaceTaker extends BlobDemand {
  /** Bytes that each of its connections would have to bring with one more: most goes first; 0: it needs none now. */
  readonly load: number;
  /** A connection that nobody waits for: to be used by `openBlob`, or disposed. Never throws. */
  take(place: BlobPlace): void;
}

export interface BlobOptions {
  /** Open end: to the blob's end. Absent: the whole blob, no Range header. */
  readonly range?: { readonly start: number; readonly end?: number };
  /** From an earlier body of this blob at this URL; resolved anew, once, on 401, 403, 404 and 410. */
  readonly location?: BlobLocation;
  /** Absent: a client waits. */
  readonly demand?: BlobDemand;
  /** A further piece: the connection that was offered for it. Given back if the call fails. */
  readonly place?: BlobPlace;
}

export interface TagPage {
  readonly tags: readonly string[];
  /** Path and query of the next page at the same upstream, as it was announced; absent: there is none. */
  readonly next: string | undefined;
}

/** Where a page of tags begins: by the specification's parameters, or as the page before it said. */
export type TagPlace = { readonly n?: number; readonly last?: string } | { readonly next: string };

/** What a registry says of its pull quota (Docker Hub's ratelimit headers). */
export interface UpstreamLimit {
  readonly upstream: string;
  /** `ratelimit-limit` and `ratelimit-remaining`; absent headers mean no limit and no entry. */
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds: number;
  /** `docker-ratelimit-source`: an address or an account id; empty when not said. */
  readonly account: string;
  /** Wall time in ms; absent where upstream does not say. */
  readonly resetAt: number | undefined;
  readonly observedAt: number;
}

/** An upstream's state for `rules ls`, `explain`, `doctor` and metrics. */
export interface UpstreamState {
  readonly upstream: string;
  readonly breaker: 'closed' | 'open' | 'half-open';
  /** Wall time in ms until which an open breaker answers misses 503 at once; absent where the next one is tried. */
  readonly restsUntil: number | undefined;
  /** Wall time in ms until which misses are answered 429 at once; absent when not held. */
  readonly heldUntil: number | undefined;
  readonly lastSuccessAt: number | undefined;
  readonly lastFailure: { readonly at: number; readonly message: string } | undefined;
  /** Which of the two came last, which their wall times need not show. */
  readonly last: 'success' | 'failure' | undefined;
  readonly limit: UpstreamLimit | undefined;
}

/**
 * Registries that are pulled from. Each call asks one URL of a rule and throws `UpstreamFailure` when it can't be had; every call
 * has its own deadlines (ARCHITECTURE.md, "Numbers and statuses") besides the caller's signal. Manifests and tokens never queue behind blobs.
 */
export interface Upstream {
  headManifest(
    target: UpstreamTarget,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<ManifestHead>;
  /** `undefined`: 304, only with `ifNoneMatch`. By digest, wrong bytes are an `invalid` failure. */
  getManifest(
    target: UpstreamTarget,
    reference: Reference,
    ifNoneMatch: Digest | undefined,
    signal: AbortSignal,
  ): Promise<FetchedManifest | undefined>;
  /** The size; `undefined` inside the answer where upstream does not say. Costs one HEAD, redirects followed. */
  headBlob(
    target: UpstreamTarget,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<{ readonly size: number | undefined }>;
  /** A connection is waited for, and held until the body is disposed. */
  openBlob(
    target: UpstreamTarget,
    digest: Digest,
    options: BlobOptions,
    signal: AbortSignal,
  ): Promise<BlobBody>;
  /** Offers the taker connections to the URL's host that nobody waits for, at once and as they come, until it is disposed. */
  offerPlaces(origin: Origin, taker: PlaceTaker): Disposable;
  /** A `BlobDemand` or a `load` of this host changed: free connections are given out anew. */
  reconsider(host: string): void;
  listTags(target: UpstreamTarget, place: TagPlace, signal: AbortSignal): Promise<TagPage>;
  /** All pages; `undefined` where upstream has no referrers API (the caller reads the tag schema then). At most 10,000. */
  listReferrers(
    target: UpstreamTarget,
    subject: Digest,
    signal: AbortSignal,
  ): Promise<readonly Descriptor[] | undefined>;
  /** `GET /v2/` with the rule's credential, for `rules verify` and `doctor`. */
  ping(rule: PullRule, url: UpstreamUrl, signal: AbortSignal): Promise<void>;
  /** By the host of the URL; `undefined` when it was never asked. With a rule, `heldUntil` is of the rule's credential alone. */
  state(host: string, rule?: PullRule): UpstreamState | undefined;
  /** Tokens, breakers and holds are forgotten: after a reload or a credential's change. */
  reset(): void;
}
