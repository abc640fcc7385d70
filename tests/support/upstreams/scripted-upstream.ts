import type { Digest } from '../../../src/domain/names/digest.ts';
import { UpstreamFailure } from '../../../src/domain/upstream-failure.ts';
import type { FailureKind } from '../../../src/domain/upstream-failure.ts';
import type { Descriptor } from '../../../src/domain/manifests/manifest.ts';
import { Lanes } from '../../../src/upstream/wire/lanes.ts';
import type { Slot } from '../../../src/upstream/wire/lanes.ts';
import type {
  BlobBody,
  BlobLocation,
  BlobOptions,
  BlobPlace,
  FetchedManifest,
  Upstream,
  UpstreamTarget,
} from '../../../src/ports/upstream.ts';
import { digestOf } from '../samples/digest.ts';

export interface Call {
  readonly kind:
    | 'headManifest'
    | 'getManifest'
    | 'headBlob'
    | 'openBlob'
    | 'listTags'
    | 'listReferrers'
    | 'ping';
  readonly host: string;
  readonly repository: string;
  readonly subject: string;
  readonly range?: BlobOptions['range'];
}

/** An upstream in memory that counts its calls and misbehaves on command. */
export interface ScriptedUpstream extends Upstream {
  readonly calls: Call[];
  count(kind: Call['kind']): number;
  /** Puts a manifest under its digest, and under a tag where one is given. */
  putManifest(
    repository: string,
    manifest: object | Uint8Array,
    mediaType: string,
    tag?: string,
  ): FetchedManifest;
  putBlob(repository: string, bytes: Uint8Array): Digest;
  tags: Map<string, readonly string[]>;
  referrers: Map<string, readonly Descriptor[] | undefined>;
  /** Called before each answer; a failure it throws is the answer, a promise delays it. */
  before: (call: Call) => void | Promise<void>;
  /** What a blob's chunks go through: truncate, corrupt, stall. */
  body: (call: Call, chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  ranges: boolean;
  says: { digest: boolean; size: boolean; total: boolean };
  /** Body bytes handed out. */
  bytesSent: number;
  /** Most blob bodies open at the same time. */
  openMax: number;
}

export function failure(kind: FailureKind, status?: number, host = 'upstream'): UpstreamFailure {
  const reason =
    kind === 'network' ? 'connect' : kind === 'timeout' ? 'firstByteTimeout' : 'status';
  return new UpstreamFailure(`scripted ${kind}`, {
    kind,
    reason,
    upstream: host,
    ...(status === undefined ? {} : { status }),
  });
}

export function createScriptedUpstream(
  options: { readonly chunkBytes?: number } = {},
): ScriptedUpstream {
  const chunkBytes = options.chunkBytes ?? 16 * 1024;
  const manifests = new Map<string, FetchedManifest>();
  const blobs = new Map<string, Uint8Array>();
  const calls: Call[] = [];
  let open = 0;

  async function asked(
    kind: Call['kind'],
    target: UpstreamTarget,
    subject: string,
    range?: BlobOptions['range'],
  ): Promise<Call> {
    const call: Call = {
      kind,
      host: target.url.host,
      repository: target.repository,
      subject,
      ...(range === undefined ? {} : { range }),
    };
    calls.push(call);
    await script.before(call);
    return call;
  }

  function manifestAt(target: UpstreamTarget, subject: string): FetchedManifest {
    const found = manifests.get(`${target.repository} ${subject}`);
    if (found === undefined) throw failure('notFound', 404, target.url.host);
    return found;
  }

  async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const chunk = bytes.slice(at, at + chunkBytes);
      script.bytesSent += chunk.length;
      yield chunk;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  const lanes = new Lanes();
  const enterLane = (
    { rule, url }: UpstreamTarget,
    { demand }: BlobOptions,
    signal: AbortSignal,
  ): Promise<Slot> =>
    lanes.enter(
      url.host,
      {
        limit: rule.maxConnections,
        get wanted() {
          return demand?.wanted ?? true;
        },
        waits: () => {},
      },
      signal,
    );

  function bodyOf(
    target: UpstreamTarget,
    digest: Digest,
    blobOptions: BlobOptions,
    call: Call,
    slot: Slot,
  ): BlobBody {
    const found = blobs.get(`${target.repository} ${digest}`);
    if (found === undefined) throw failure('notFound', 404, target.url.host);
    const range = script.ranges ? blobOptions.range : undefined;
    const start = range?.start ?? 0;
    const slice = found.subarray(start, range?.end === undefined ? undefined : range.end + 1);
    open += 1;
    script.openMax = Math.max(script.openMax, open);
    let closed = false;
    return {
      start,
      partial: range !== undefined,
      total: script.says.total || range !== undefined ? found.length : undefined,
      ranges: script.ranges,
      location: {} as BlobLocation,
      answeredAfterMs: 0,
      chunks: script.body(call, chunksOf(slice)),
      [Symbol.asyncDispose]: () => {
        if (!closed) open -= 1;
        closed = true;
        slot[Symbol.dispose]();
        return Promise.resolve();
      },
    };
  }

  const script: ScriptedUpstream = {
    calls,
    count: (kind) => calls.filter((call) => call.kind === kind).length,
    tags: new Map(),
    referrers: new Map(),
    before: () => {},
    body: (_call, chunks) => chunks,
    ranges: true,
    says: { digest: true, size: true, total: true },
    bytesSent: 0,
    openMax: 0,
    putManifest: (repository, manifest, mediaType, tag) => {
      const bytes =
        manifest instanceof Uint8Array
          ? manifest
          : new TextEncoder().encode(JSON.stringify(manifest));
      const fetched = { digest: digestOf(bytes), mediaType, bytes };
      manifests.set(`${repository} ${fetched.digest}`, fetched);
      if (tag !== undefined) manifests.set(`${repository} ${tag}`, fetched);
      return fetched;
    },
    putBlob: (repository, bytes) => {
      const digest = digestOf(bytes);
      blobs.set(`${repository} ${digest}`, bytes);
      return digest;
    },
    headManifest: async (target, reference) => {
      const subject = reference.kind === 'tag' ? reference.tag : reference.digest;
      await asked('headManifest', target, subject);
      const found = manifestAt(target, subject);
      return {
        digest: script.says.digest ? found.digest : undefined,
        mediaType: found.mediaType,
        size: script.says.size ? found.bytes.length : undefined,
      };
    },
    getManifest: async (target, reference, ifNoneMatch) => {
      const subject = reference.kind === 'tag' ? reference.tag : reference.digest;
      await asked('getManifest', target, subject);
      const found = manifestAt(target, subject);
      return found.digest === ifNoneMatch ? undefined : found;
    },
    headBlob: async (target, digest) => {
      await asked('headBlob', target, digest);
      const found = blobs.get(`${target.repository} ${digest}`);
      if (found === undefined) throw failure('notFound', 404, target.url.host);
      return { size: script.says.size ? found.length : undefined };
    },
    openBlob: async (target, digest, blobOptions, signal) => {
      const slot = blobOptions.place ?? (await enterLane(target, blobOptions, signal));
      try {
        const call = await asked('openBlob', target, digest, blobOptions.range);
        return bodyOf(target, digest, blobOptions, call, slot);
      } catch (error) {
        slot[Symbol.dispose]();
        throw error;
      }
    },
    offerPlaces: ({ rule, url }, taker) =>
      lanes.offer(url.host, {
        limit: rule.maxConnections,
        get wanted() {
          return taker.wanted;
        },
        get load() {
          return taker.load;
        },
        take: (slot) => taker.take(slot as BlobPlace),
      }),
    reconsider: (host) => lanes.reconsider(host),
    listTags: async (target, place) => {
      const query = 'next' in place ? new URL(place.next, 'http://up').searchParams : undefined;
      const n = Number(query?.get('n') ?? ('n' in place ? place.n : undefined) ?? Infinity);
      const last = query?.get('last') ?? ('last' in place ? place.last : undefined) ?? '';
      await asked('listTags', target, `${n} ${last}`);
      const all = script.tags.get(target.repository);
      if (all === undefined) throw failure('notFound', 404, target.url.host);
      const after = all.filter((tag) => tag > last);
      const tags = after.slice(0, n);
      const path = `/v2/${target.repository}/tags/list`;
      const next = after.length > n ? `${path}?n=${n}&last=${tags.at(-1) ?? ''}` : undefined;
      return { tags, next };
    },
    listReferrers: async (target, subject) => {
      await asked('listReferrers', target, subject);
      return script.referrers.has(subject) ? script.referrers.get(subject) : [];
    },
    ping: async (rule, url) => {
      await asked('ping', { rule, url, repository: 'x' as never }, '');
    },
    state: () => undefined,
    reset: () => {},
  };
  return script;
}
