import { Turns } from '../../coordination/turns.ts';
import type { Clock } from '../../ports/clock.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { UploadPlace } from '../../ports/uploads.ts';
import type { UploadData, UploadRecord } from './upload-data.ts';

export interface Upload {
  readonly record: UploadRecord;
  readonly data: UploadData;
  /** Whose it is; `undefined` of one that an earlier process began. */
  readonly owner: string | undefined;
  /** Monotonic ms of the last request; `undefined` for one that this process has not seen used. */
  touchedAt: number | undefined;
  /** As of its last request; `undefined` as `touchedAt`. */
  empty: boolean | undefined;
  holder: AbortController | undefined;
  adopting: Promise<void> | undefined;
  looking: Promise<void> | undefined;
}

/** How many uploads may be open: on the server, in one repository, of one owner. */
export interface UploadBounds {
  readonly server: number;
  readonly repository: number;
  readonly owner: number;
}

/** A bound that is reached. */
export interface FullBound {
  readonly error: RegistryError;
  /** Whether it counts this one. */
  counts(upload: Upload): boolean;
}

/** The uploads that are there, counted by what bounds them. One request at a time has an upload, in the order of their coming. */
export interface OpenUploads {
  readonly all: ReadonlyMap<string, Upload>;
  enter(upload: Upload): void;
  /** Whoever waits for it is told that it is gone. Idempotent. */
  leave(upload: Upload): void;
  /** Resolves when it is the caller's turn; `undefined` once the upload is gone. Throws `unavailable` when the wait is too long. */
  take(upload: Upload, signal: AbortSignal): Promise<Disposable | undefined>;
  isTaken(upload: Upload): boolean;
  /** The bound that one more would go beyond, the narrowest first. */
  full(place: UploadPlace, placeKey: string, owner: string | undefined): FullBound | undefined;
}

/** What is kept open longer is likely forgotten; it goes when its room is needed. */
const emptyKeptMs = 5 * 60_000;
const idleKeptMs = 60 * 60_000;
/** Uploads end, or are forgotten, meanwhile. */
const retryAfterMs = 60_000;
/** How long a request waits for an upload that another one has. */
const turnWaitMs = 10_000;
const turnRetryAfterMs = 1000;

export function createOpenUploads(bounds: UploadBounds, clock: Clock): OpenUploads {
  const turns = new Turns(clock, { atOnce: 1, patience: { ms: turnWaitMs, late: takenTooLong } });
  const gone = new Error('The upload is gone');
  const all = new Map<string, Upload>();
  const inPlace = new Map<string, number>();
  const ofOwner = new Map<string, number>();
  const count = (counts: Map<string, number>, key: string | undefined, by: 1 | -1): void => {
    if (key === undefined) return;
    const sum = (counts.get(key) ?? 0) + by;
    if (sum === 0) counts.delete(key);
    else counts.set(key, sum);
  };
  return {
    all,
    enter: (upload) => {
      all.set(upload.record.id, upload);
      count(inPlace, upload.record.placeKey, 1);
      count(ofOwner, upload.owner, 1);
    },
    leave: (upload) => {
      if (all.get(upload.record.id) !== upload) return;
      all.delete(upload.record.id);
      count(inPlace, upload.record.placeKey, -1);
      count(ofOwner, upload.owner, -1);
      turns.refuse(upload.record.id, gone);
    },
    take: (upload, signal) =>
      turns.take(upload.record.id, signal).catch((error: unknown) => {
        if (error === gone) return undefined;
        throw error;
      }),
    isTaken: (upload) => turns.running(upload.record.id) > 0,
    full: ({ repository }, placeKey, owner) => {
      if (owner !== undefined && (ofOwner.get(owner) ?? 0) >= bounds.owner) {
        const error = tooMany('principal', bounds.owner, 'of yours');
        return { error, counts: (upload) => upload.owner === owner };
      }
      if ((inPlace.get(placeKey) ?? 0) >= bounds.repository) {
        const error = tooMany('repository', bounds.repository, `in ${repository}`);
        return { error, counts: ({ record }) => record.placeKey === placeKey };
      }
      if (all.size < bounds.server) return undefined;
      return { error: tooMany('server', bounds.server, 'on this server'), counts: () => true };
    },
  };
}

function takenTooLong(): RegistryError {
  const message = 'Another request has had this upload for 10 seconds; try again when it is done';
  return new RegistryError('unavailable', message, { retryAfterMs: turnRetryAfterMs });
}

function tooMany(bound: string, most: number, where: string): RegistryError {
  const message = `${most} uploads ${where} are open, which is the most; finish or cancel some`;
  return new RegistryError('tooManyRequests', message, { retryAfterMs, detail: { bound, most } });
}

/** The upload to give up for a new one: an empty one that idles for minutes, else any that idles for an hour; the longest idle first. */
export function findForgotten(
  open: OpenUploads,
  bound: FullBound,
  clock: Clock,
): Upload | undefined {
  let found:
    | { readonly upload: Upload; readonly empty: boolean; readonly idleMs: number }
    | undefined;
  for (const upload of open.all.values()) {
    const { touchedAt, empty = false } = upload;
    if (touchedAt === undefined || open.isTaken(upload) || !bound.counts(upload)) continue;
    const idleMs = clock.elapsed() - touchedAt;
    if (idleMs < (empty ? emptyKeptMs : idleKeptMs)) continue;
    const isBetter = found === undefined || (empty === found.empty ? idleMs > found.idleMs : empty);
    if (isBetter) found = { upload, empty, idleMs };
  }
  return found?.upload;
}

/** Looks at those that this process has not seen used; false where there are none, and nothing was waited for. */
export async function lookAtUnseen(
  open: OpenUploads,
  bound: FullBound,
  clock: Clock,
): Promise<boolean> {
  let waited = false;
  for (const upload of open.all.values()) {
    if (upload.empty !== undefined || !bound.counts(upload)) continue;
    await lookAt(upload, clock);
    waited = true;
  }
  return waited;
}

/** Of an upload that this process has not seen used: since when it idles, and whether anything is in it. */
export function lookAt(upload: Upload, clock: Clock): Promise<void> {
  upload.looking ??= (async () => {
    const modifiedAt = (await upload.data.modifiedAt()) ?? 0;
    const size = await upload.data.size();
    // A clock that was wrong once must not keep an upload for ever: one of the future is of now.
    upload.touchedAt ??= clock.elapsed() - Math.max(0, clock.now() - modifiedAt);
    upload.empty ??= (size ?? 0) === 0;
  })().finally(() => (upload.looking = undefined));
  return upload.looking;
}
