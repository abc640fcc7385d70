import type { PullRule } from '../domain/pull-rule.ts';

/** Parsed once at start and at each reload; every unit in the name (design.md §5). */
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
  readonly limits: { readonly connectionsMax: number; readonly downloadsMax: number };
  /** File rules over the built-in ones: a replaced built-in is not in the list. In the file's order, then the built-ins'. */
  readonly rules: readonly PullRule[];
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
