export type MetadataErrorReason =
  /** Too many writes wait; nothing was changed. */
  | 'busy'
  /** The metadata was disposed of. */
  | 'closed'
  /** The database was written by a newer Breakwater. */
  | 'version'
  /** The writing side died; whether the write was committed is not known. */
  | 'crashed'
  /** The database refused or could not be read; see `cause`. */
  | 'failed';

/** What every read and write of the metadata throws. */
export class MetadataError extends Error {
  override readonly name = 'MetadataError';
  readonly reason: MetadataErrorReason;

  constructor(reason: MetadataErrorReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
