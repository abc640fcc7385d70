export type MetadataErrorReason =
  /** Too many writes wait; nothing was changed. */
  | 'busy'
  /** The metadata was disposed of. */
  | 'closed'
  /** The database was written by a newer Breakwater. */
  | 'version'
  /** The writing side died; whether the write was committed is not known. */
  | 'crashed'
  /** Another attempt of the call has done this write; nothing was changed. */
  | 'repeated'
  /** The volume has no room for a write. */
  | 'full'
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

/** The codes of SQLite (`SQLITE_FULL`), PostgreSQL (`disk_full`) and the system for a volume without room. */
const fullCodes: ReadonlySet<unknown> = new Set([13, '53100', 'ENOSPC', 'EDQUOT']);

/** Why a write is rejected that its transaction threw. */
export type Refusal = 'repeated' | 'full' | 'failed';

/** What a write that the database refused, or that was given up, is rejected with. */
export function refusalReason(error: unknown): Refusal {
  if (error instanceof MetadataError && error.reason === 'repeated') return 'repeated';
  if (!(error instanceof Error)) return 'failed';
  const { errcode, code } = error as { readonly errcode?: unknown; readonly code?: unknown };
  return fullCodes.has(errcode) || fullCodes.has(code) ? 'full' : 'failed';
}
