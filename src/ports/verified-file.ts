import type { Digest } from '../domain/names/digest.ts';

declare const verified: unique symbol;

/** A file whose bytes were hashed, found right and synced: only `seal` of a spool's or an upload's file makes one. */
export interface VerifiedFile {
  readonly [verified]: true;
  readonly digest: Digest;
  readonly size: number;
}
