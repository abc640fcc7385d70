// How a front before a registry behaves, and misbehaves on command.

/** What a request asks for. `redirected`: a blob at the host that redirects lead to. */
export type RequestKind =
  | 'ping'
  | 'token'
  | 'manifest'
  | 'blob'
  | 'tags'
  | 'referrers'
  | 'redirected'
  | 'other';

export interface TokenAuth {
  readonly kind: 'bearer';
  readonly service: string;
  /** 300 by default. */
  readonly expiresInSeconds?: number;
  /** Wanted where `anonymous` is false; checked wherever Basic is sent. */
  readonly credential?: BasicCredential;
  /** True by default: a token without a credential pulls. */
  readonly anonymous?: boolean;
  /** Where the challenge sends to, instead of `/token` of the front. */
  readonly realm?: string;
}

export interface BasicCredential {
  readonly username: string;
  readonly password: string;
}

export interface Redirect {
  /** Kinds that are answered by 307; `['blob']` by default. */
  readonly kinds?: readonly RequestKind[];
  /** To the blob host (another address and port), or on the same host with a relative Location. */
  readonly location: 'elsewhere' | 'relative';
  /** How long the signature in the query is good; 600 s by default. */
  readonly signedForMs?: number;
}

/** Docker Hub's `ratelimit-limit: 100;w=21600`. */
export interface RateLimit {
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds: number;
  readonly source?: string;
}

export interface Behaviour {
  readonly auth: TokenAuth | ({ readonly kind: 'basic' } & BasicCredential) | undefined;
  readonly redirect: Redirect | undefined;
  readonly rateLimit: RateLimit | undefined;
  /** Before the first byte of every answer. */
  readonly latencyMs: number;
  /** Of bodies, on each connection, by the wall clock; 0: unlimited. */
  readonly bytesPerSecond: number;
  /** `ignore`: 200 with the whole body. */
  readonly ranges: 'honour' | 'ignore';
  /** `api`: /referrers/ answers from the fallback tag; `fallback`: 404, as registries without the API. */
  readonly referrers: 'api' | 'fallback';
  /** False: no Docker-Content-Digest. */
  readonly digestHeader: boolean;
  /** False: chunked, without Content-Length. */
  readonly contentLength: boolean;
  /** Put before every repository: a front that leads `a/b` to `prefix/a/b` of the registry. */
  readonly registryPrefix: string;
}

export const plainBehaviour: Behaviour = {
  auth: undefined,
  redirect: undefined,
  rateLimit: undefined,
  latencyMs: 0,
  bytesPerSecond: 0,
  ranges: 'honour',
  referrers: 'fallback',
  digestHeader: true,
  contentLength: true,
  registryPrefix: '',
};

/** The public registries, as far as a pull sees them. */
export const publicRegistries: Readonly<
  Record<'dockerHub' | 'ghcr' | 'quay' | 'registryK8s' | 'ecrPublic', Partial<Behaviour>>
> = {
  dockerHub: {
    auth: { kind: 'bearer', service: 'registry.docker.io' },
    redirect: { location: 'elsewhere' },
    rateLimit: { limit: 100, remaining: 99, windowSeconds: 21_600, source: '192.0.2.7' },
  },
  ghcr: {
    auth: { kind: 'bearer', service: 'ghcr.io' },
    redirect: { location: 'elsewhere' },
    referrers: 'fallback',
  },
  quay: {
    auth: { kind: 'bearer', service: 'quay.io' },
    redirect: { location: 'elsewhere' },
    referrers: 'api',
  },
  registryK8s: { redirect: { location: 'elsewhere', kinds: ['blob', 'manifest'] } },
  ecrPublic: {
    auth: { kind: 'bearer', service: 'public.ecr.aws', expiresInSeconds: 43_200 },
    redirect: { location: 'elsewhere' },
  },
};

/** What goes wrong. Byte offsets count the body from where this answer begins. */
export type Wrong =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The body's length is promised, and the connection ends after so many bytes. */
  | { readonly truncateAt: number }
  /** The body ends cleanly after so many bytes, chunked, as if that were all. */
  | { readonly endAt: number }
  /** Nothing more comes after so many bytes, and the connection stays open. */
  | { readonly stallAt: number }
  /** The connection is reset after so many bytes; 0: before the answer's head. */
  | { readonly resetAt: number }
  /** The byte at this offset is another one. */
  | { readonly corruptAt: number }
  /** A body of so many bytes too many, said in Content-Length. */
  | { readonly appendBytes: number }
  /** Zeros for ever, chunked. */
  | { readonly endless: true }
  /** The answer waits so long. */
  | { readonly delayMs: number }
  /** A head with a header of so many bytes. */
  | { readonly headerBytes: number }
  /** Headers changed in the registry's own answer; undefined removes one. */
  | { readonly change: Readonly<Record<string, string | undefined>> }
  /** The answer waits until `release` resolves. */
  | { readonly hold: Promise<unknown> };

/** One fault: which requests it meets, how often, and what they get. */
export interface Fault {
  readonly kind?: RequestKind | readonly RequestKind[];
  readonly method?: string;
  /** Part of the path, or a pattern for path and query. */
  readonly path?: string | RegExp;
  /** How many matching requests it meets; all of them by default. */
  readonly times?: number;
  /** Matching requests let through before it begins. */
  readonly after?: number;
  readonly wrong: Wrong;
}

/** A fault that was ordered. */
export interface OrderedFault {
  /** How many requests it has met. */
  met(): number;
  end(): void;
}

interface Asked {
  readonly kind: RequestKind;
  readonly method: string;
  readonly url: string;
}

/** The faults in force; the first that matches a request meets it. */
export function createFaults(): {
  order(fault: Fault): OrderedFault;
  meet(asked: Asked): Wrong | undefined;
  clear(): void;
} {
  const entries = new Set<{ fault: Fault; seen: number; met: number }>();
  return {
    order(fault) {
      const entry = { fault, seen: 0, met: 0 };
      entries.add(entry);
      return { met: () => entry.met, end: () => void entries.delete(entry) };
    },
    meet(asked) {
      for (const entry of entries) {
        if (!matches(entry.fault, asked)) continue;
        entry.seen++;
        if (entry.seen <= (entry.fault.after ?? 0)) continue;
        if (entry.met >= (entry.fault.times ?? Infinity)) continue;
        entry.met++;
        return entry.fault.wrong;
      }
      return undefined;
    },
    clear: () => entries.clear(),
  };
}

function matches(fault: Fault, asked: Asked): boolean {
  if (fault.kind !== undefined && ![fault.kind].flat().includes(asked.kind)) return false;
  if (fault.method !== undefined && fault.method !== asked.method) return false;
  if (fault.path === undefined) return true;
  return typeof fault.path === 'string'
    ? asked.url.includes(fault.path)
    : fault.path.test(asked.url);
}
