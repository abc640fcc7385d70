// A registry in memory on loopback: right by itself, and in one respect as a row says.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { openStage } from './stage.ts';
import type { Seen } from './stage.ts';
import { digestOf } from '../samples/digest.ts';

export const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

export interface Asked {
  readonly kind: 'ping' | 'manifest' | 'blob' | 'tags' | 'referrers' | 'other';
  readonly method: string;
  readonly repository: string;
  /** Tag or digest; empty for lists. */
  readonly reference: string;
  readonly query: URLSearchParams;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

/** A body that is no text goes out as JSON. `break`: the connection is reset before the first byte. */
export type Answer =
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string | undefined>>;
      readonly body?: string | Buffer | object;
    }
  | { readonly break: true };

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [key: string]: unknown;
}

export interface ScriptedRegistry extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly host: string;
  readonly seen: readonly Seen[];
  /** Tags that `tags/list` tells; those of manifests are among them. */
  readonly tags: Set<string>;
  /** What the referrers API answers by subject; `undefined`: the registry has no such API. */
  referrers: Map<string, Descriptor[]> | undefined;
  /** Takes a request for itself where it answers true: what no answer below can say. */
  instead: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Asked first; `undefined`: the ordinary answer. */
  answer: (asked: Asked, ordinary: () => Answer) => Answer | undefined;
  blob(bytes: string | Buffer, mediaType?: string): Descriptor;
  manifest(content: object | string, options?: { tag?: string; mediaType?: string }): Descriptor;
  /** An image of one layer; another `salt` is another image. `layer` changes the layer's descriptor. */
  image(options?: {
    readonly tag?: string;
    readonly salt?: string;
    readonly layer?: Readonly<Record<string, unknown>>;
    readonly manifest?: Readonly<Record<string, unknown>>;
  }): Descriptor & { readonly layer: Descriptor };
  /** Takes a manifest or a tag away. */
  drop(reference: string): void;
}

interface Shelf {
  readonly manifests: Map<string, { readonly bytes: Buffer; readonly mediaType: string }>;
  readonly blobs: Map<string, Buffer>;
  readonly registry: Pick<ScriptedRegistry, 'tags' | 'referrers'>;
}

export async function openScriptedRegistry(): Promise<ScriptedRegistry> {
  const shelf: Shelf = {
    manifests: new Map(),
    blobs: new Map(),
    registry: { tags: new Set(), referrers: undefined },
  };
  const stage = await openStage((request, response) => {
    if (registry.instead(request, response)) return;
    const asked = read(request);
    const ordinary = (): Answer => ordinaryAnswer(shelf, registry, asked);
    send(response, asked, registry.answer(asked, ordinary) ?? ordinary());
  });
  const registry: ScriptedRegistry = {
    url: stage.url,
    host: stage.host,
    seen: stage.seen,
    tags: shelf.registry.tags as Set<string>,
    referrers: undefined,
    instead: () => false,
    answer: () => undefined,
    blob: (content, mediaType = types.layer) => {
      const bytes = Buffer.from(content);
      const digest = digestOf(bytes);
      shelf.blobs.set(digest, bytes);
      return { mediaType, digest, size: bytes.length };
    },
    manifest: (content, { tag, mediaType = types.manifest } = {}) => {
      const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
      const digest = digestOf(bytes);
      shelf.manifests.set(digest, { bytes, mediaType });
      if (tag !== undefined) {
        shelf.manifests.set(tag, { bytes, mediaType });
        registry.tags.add(tag);
      }
      return { mediaType, digest, size: bytes.length };
    },
    image: ({ tag, salt = '', layer = {}, manifest = {} } = {}) => {
      const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers' }, salt };
      const bytes = registry.blob(Buffer.alloc(1024, `layer${salt}`));
      const described = { ...bytes, ...layer };
      const content = {
        schemaVersion: 2,
        mediaType: types.manifest,
        config: registry.blob(JSON.stringify(config), types.config),
        layers: [described],
        ...manifest,
      };
      const stored = registry.manifest(content, tag === undefined ? {} : { tag });
      return { ...stored, layer: described };
    },
    drop: (reference) => {
      shelf.manifests.delete(reference);
      registry.tags.delete(reference);
    },
    [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
  };
  return registry;
}

function read(request: IncomingMessage): Asked {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://registry');
  const found =
    /^\/v2\/(?<repository>.+)\/(?<verb>manifests|blobs|tags|referrers)\/(?<reference>[^/]+)$/.exec(
      pathname,
    )?.groups;
  const kinds = {
    manifests: 'manifest',
    blobs: 'blob',
    tags: 'tags',
    referrers: 'referrers',
  } as const;
  const kind = kinds[found?.['verb'] as keyof typeof kinds];
  return {
    kind: kind ?? (pathname === '/v2/' ? 'ping' : 'other'),
    method: request.method ?? 'GET',
    repository: found?.['repository'] ?? '',
    reference: kind === 'tags' ? '' : decodeURIComponent(found?.['reference'] ?? ''),
    query: searchParams,
    path: pathname,
    headers: request.headers,
  };
}

function ordinaryAnswer(
  { manifests, blobs }: Shelf,
  registry: Pick<ScriptedRegistry, 'tags' | 'referrers'>,
  asked: Asked,
): Answer {
  switch (asked.kind) {
    case 'ping':
      return { body: '{}' };
    case 'manifest': {
      const found = manifests.get(asked.reference);
      if (found === undefined) return unknown('MANIFEST_UNKNOWN');
      const headers = {
        'content-type': found.mediaType,
        'docker-content-digest': digestOf(found.bytes),
      };
      return { headers, body: found.bytes };
    }
    case 'blob': {
      const found = blobs.get(asked.reference);
      return found === undefined ? unknown('BLOB_UNKNOWN') : blobAnswer(found, asked);
    }
    case 'tags':
      return tagsAnswer([...registry.tags].toSorted(), asked);
    case 'referrers': {
      if (registry.referrers === undefined) return unknown('UNSUPPORTED');
      const manifestsOf = registry.referrers.get(asked.reference) ?? [];
      return {
        headers: { 'content-type': types.index },
        body: { schemaVersion: 2, mediaType: types.index, manifests: manifestsOf },
      };
    }
    case 'other':
      return unknown('UNSUPPORTED');
  }
}

function blobAnswer(bytes: Buffer, { headers }: Asked): Answer {
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  const type = { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' };
  if (range === null) return { headers: type, body: bytes };
  const start = Number(range[1]);
  const end = Math.min(range[2] === '' ? Infinity : Number(range[2]), bytes.length - 1);
  if (start > end)
    return { status: 416, headers: { 'content-range': `bytes */${bytes.length}` }, body: '' };
  return {
    status: 206,
    headers: { ...type, 'content-range': `bytes ${start}-${end}/${bytes.length}` },
    body: bytes.subarray(start, end + 1),
  };
}

/** Pages by `n` and `last` (distribution-spec, "Listing Tags"). */
function tagsAnswer(tags: readonly string[], { query, path, repository }: Asked): Answer {
  const last = query.get('last') ?? '';
  const n = Number(query.get('n') ?? Infinity);
  const left = tags.filter((tag) => tag > last);
  const page = left.slice(0, n);
  const link =
    left.length > page.length
      ? { link: `<${path}?n=${n}&last=${page.at(-1) ?? ''}>; rel="next"` }
      : {};
  return {
    headers: { 'content-type': 'application/json', ...link },
    body: { name: repository, tags: page },
  };
}

export function unknown(code: string, status = 404): Answer {
  return { status, body: { errors: [{ code, message: 'unknown' }] } };
}

function send(response: ServerResponse, asked: Asked, answer: Answer): void {
  if ('break' in answer) return void response.req.socket.resetAndDestroy();
  const { status = 200, headers = {}, body = '' } = answer;
  const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body) : json(body);
  const all = {
    'content-type': 'application/json',
    'content-length': String(bytes.length),
    ...headers,
  };
  const said = Object.entries(all).filter(
    (each): each is [string, string] => each[1] !== undefined,
  );
  response.writeHead(status, Object.fromEntries(said));
  response.end(asked.method === 'HEAD' ? undefined : bytes);
}

function json(body: object): Buffer {
  return Buffer.from(JSON.stringify(body));
}
