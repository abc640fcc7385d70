import type { Digest } from '../../domain/names/digest.ts';
import type { VerifiedFile } from '../../ports/verified-file.ts';

/** How a blob store takes a sealed file over. */
export interface Takeover {
  /** Renames the file to its place among the blobs, no more; once done, further calls do nothing. */
  readonly moveTo: (path: string) => Promise<void>;
  /** The blob is in its place, this file or one that was there: removes what is left of it elsewhere. Never throws. */
  readonly settle: () => Promise<void>;
}

const takeovers = new WeakMap<VerifiedFile, Takeover>();

/** Only `seal` calls this. */
export function markVerified(digest: Digest, size: number, takeover: Takeover): VerifiedFile {
  const file = Object.freeze({ digest, size }) as VerifiedFile;
  takeovers.set(file, takeover);
  return file;
}

/** Throws for anything but what `seal` of this kind of storage made. */
export function takeoverOf(file: VerifiedFile): Takeover {
  const takeover = takeovers.get(file);
  if (takeover === undefined) throw new TypeError(`No spool sealed this file of ${file.digest}`);
  return takeover;
}
