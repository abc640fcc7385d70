import type { IpBlock } from '../domain/names/ip-address.ts';
import type { ApiUpstreams } from '../domain/rules/api-rule.ts';
import type { Credential, PullRule } from '../domain/rules/pull-rule.ts';

/** Parsed once at start and at each reload; every unit in the name. */
export interface Config {
  readonly listen: ListenAddress;
  readonly adminListen: ListenAddress;
  readonly hubMirrorListen: ListenAddress | undefined;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Absolute. */
  readonly dataDir: string;
  /** Without a trailing slash; empty: the request's Host. */
  readonly publicUrl: string;
  readonly drainMs: number;
  readonly shutdownDelayMs: number;
  readonly cache: CacheConfig;
  /** The home account. */
  readonly registryId: string;
  /** `o-…`; empty: none. */
  readonly organizationId: string;
  /** The first is home; `any`: each region is a registry of its own. */
  readonly regions: readonly string[] | 'any';
  /** Of content that no credential fetched and nobody pushed; and of a pushed repository whose policy allows everyone. */
  readonly anonymousPull: boolean;
  /** May an anonymous pull make a repository or fetch something new: always, never, or from loopback alone, by address and by Host. */
  readonly anonymousImport: boolean | 'loopback';
  /** Proxies whose X-Forwarded-For, -Proto and -Host are believed. */
  readonly trustedProxies: readonly IpBlock[];
  readonly createOnPush: boolean;
  /** Whether a pushed index may name manifests, and a pushed image layers, that are not here. */
  readonly sparseIndexes: boolean;
  readonly oidc: readonly OidcIssuer[];
  readonly lifecycle: {
    /** Whether a policy may expire what was not pulled for some days. */
    readonly expireByPull: boolean;
  };
  /** Where the keys come from that seal secrets and sign tokens. */
  readonly keys: {
    /** The keys of the first seal and sign, all open and verify. Never empty. */
    readonly from: readonly ('file' | 'environment' | 'command')[];
    /** The name of a variable. */
    readonly environment: string;
    /** A program and its arguments; empty where no key comes from it. */
    readonly command: readonly string[];
    readonly commandTimeoutMs: number;
  };
  readonly limits: { readonly connectionsMax: number; readonly downloadsMax: number };
  /** Where rules that are made through an API may lead. */
  readonly apiUpstreams: ApiUpstreams;
  /** Of `secretsFile`, by their names. */
  readonly secrets: ReadonlyMap<string, Credential>;
  /** As it was written, and when it was changed last, wall ms; absent: there is none. */
  readonly secretsFile: { readonly path: string; readonly changedAt: number } | undefined;
  /** File rules over the built-in ones: a replaced built-in is not in the list. In the file's order, then the built-ins'. */
  readonly rules: readonly PullRule[];
}

/** Whose JWTs are accepted as password or bearer, and for whom they speak. */
export interface OidcIssuer {
  /** As the `iss` claim has it. */
  readonly issuer: string;
  /** One of them must stand in `aud`. Never empty. */
  readonly audiences: readonly string[];
  /** Absent: found by `<issuer>/.well-known/openid-configuration`. */
  readonly jwksUrl: string | undefined;
  /** PEM text; absent: the system's roots. */
  readonly ca: string | undefined;
  /** The first whose claims all match decides. Values are patterns of `*` and `?`; a list claim matches by any element. */
  readonly principals: readonly {
    readonly claims: Readonly<Record<string, string>>;
    /** Name of a user or robot. */
    readonly principal: string;
    readonly account: string;
  }[];
}

export interface ListenAddress {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface CacheConfig {
  /** Blobs larger than this come in several ranges. */
  readonly parallelAboveBytes: number;
  readonly pieceBytes: number;
  readonly connectionsPerBlob: number;
  /** A share of the volume, or bytes; never under 1 GiB. */
  readonly minFree: { readonly share: number } | { readonly bytes: number };
  readonly maxBlobBytes: number;
}
