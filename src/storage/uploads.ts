import { randomUUID } from 'node:crypto';
import { RegistryError } from '../domain/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events } from '../ports/events.ts';
import type { UploadFile, UploadPlace, Uploads } from '../ports/uploads.ts';
import { placeKeyOf } from './upload-data.ts';
import type { UploadData, UploadRecord, UploadShelf } from './upload-data.ts';
import { UploadHolder } from './upload-holder.ts';
import type { HeldUpload } from './upload-holder.ts';
import { createUploadTurn } from './upload-turn.ts';
import type { UploadTurn } from './upload-turn.ts';

const uploadsMaxByDefault = 10_000;
const keptMs = 24 * 60 * 60 * 1000;
/** A full house empties slowly: uploads end, or are swept within hours. */
const fullRetryAfterMs = 60_000;

interface Upload {
  readonly record: UploadRecord;
  readonly data: UploadData;
  readonly turn: UploadTurn;
  /** Monotonic ms of the last request; `undefined` for one that this process has not seen used. */
  touchedAt: number | undefined;
  holder: AbortController | undefined;
  adopting: Promise<void> | undefined;
}

export interface UploadsContext {
  readonly clock: Clock;
  readonly events: Events;
  readonly uploadsMax?: number;
}

type Open = Map<string, Upload>;

/** Uploads over a shelf: who may have which, how many there are, and when they go. */
export function createUploads(context: UploadsContext, shelf: UploadShelf): Uploads {
  const { clock, uploadsMax = uploadsMaxByDefault } = context;
  const open: Open = new Map();
  let sweeping: Promise<void> | undefined;
  const enter = (record: UploadRecord, data: UploadData, touchedAt: number | undefined): Upload => {
    const turn = createUploadTurn(clock);
    const upload = { record, data, turn, touchedAt, holder: undefined, adopting: undefined };
    open.set(record.id, upload);
    return upload;
  };
  for (const record of shelf.found) enter(record, shelf.of(record), undefined);
  const find = (place: UploadPlace, id: string): Upload | undefined => {
    const upload = open.get(id);
    return upload?.record.placeKey === placeKeyOf(place) ? upload : undefined;
  };

  return {
    create: async (place, algorithm) => {
      if (open.size >= uploadsMax) throw tooMany(uploadsMax);
      const placeKey = placeKeyOf(place);
      const record = { id: randomUUID(), algorithm, startedAt: clock.now(), placeKey };
      // Entered first, so that no sweep takes its file for litter.
      enter(record, shelf.of(record), clock.elapsed());
      try {
        await shelf.create(record, place);
      } catch (error) {
        open.delete(record.id);
        throw error;
      }
      return record.id;
    },
    take: async (place, id, signal) => {
      const upload = find(place, id);
      if (upload === undefined || !(await upload.turn.take(signal))) return undefined;
      return hold(context, open, upload);
    },
    size: async (place, id) => find(place, id)?.data.size(),
    cancel: async (place, id) => {
      const upload = find(place, id);
      while (upload?.adopting !== undefined) await upload.adopting.catch(() => undefined);
      if (upload === undefined || open.get(id) !== upload) return false;
      const removed = remove(context, open, upload);
      upload.holder?.abort(new RegistryError('uploadUnknown', 'The upload was cancelled'));
      await removed;
      return true;
    },
    list: () => list(open, shelf),
    sweep: () => {
      sweeping ??= sweep(context, open, shelf).finally(() => (sweeping = undefined));
      return sweeping;
    },
  };
}

function tooMany(uploadsMax: number): RegistryError {
  const message = `${uploadsMax} uploads are open; finish or cancel some`;
  return new RegistryError('tooManyRequests', message, { retryAfterMs: fullRetryAfterMs });
}

/** Forgets the upload at once, then removes its bytes; what can't be removed is left to a sweep. */
async function remove({ events }: UploadsContext, open: Open, upload: Upload): Promise<void> {
  open.delete(upload.record.id);
  upload.turn.end();
  try {
    await upload.data.remove();
  } catch (error) {
    const operation = 'remove upload';
    events.emit({ type: 'storageFailed', operation, message: String(error) });
  }
}

/** With the turn, which is given on if it comes to nothing. */
async function hold(
  context: UploadsContext,
  open: Open,
  upload: Upload,
): Promise<UploadFile | undefined> {
  const { record, data, turn } = upload;
  const { id } = record;
  let size: number | undefined;
  try {
    size = await data.open();
  } catch (error) {
    turn.release();
    throw error;
  }
  const there = open.get(id) === upload;
  if (size === undefined || !there) {
    await data.close();
    // Opening may have made the file of a cancelled upload anew.
    await remove(context, open, upload);
    return undefined;
  }
  const cancel = new AbortController();
  const held: HeldUpload = {
    id,
    data,
    get gone() {
      return open.get(id) !== upload;
    },
    adopt: (move) => {
      const done = (): void => {
        open.delete(id);
        turn.end();
      };
      upload.adopting = move()
        .then(done)
        .finally(() => (upload.adopting = undefined));
      return upload.adopting;
    },
    remove: () => remove(context, open, upload),
    release: () => {
      upload.holder = undefined;
      upload.touchedAt = context.clock.elapsed();
      turn.release();
    },
  };
  upload.holder = cancel;
  return new UploadHolder(held, size, cancel.signal);
}

async function list(open: Open, shelf: UploadShelf): ReturnType<Uploads['list']> {
  const listed: (UploadPlace & { id: string; size: number; startedAt: number })[] = [];
  const byAge = [...open.values()].sort((a, b) => a.record.startedAt - b.record.startedAt);
  for (const { record, data } of byAge) {
    const place = await shelf.place(record.placeKey);
    const size = await data.size();
    if (place === undefined || size === undefined) continue;
    listed.push({ ...place, id: record.id, size, startedAt: record.startedAt });
  }
  return listed;
}

async function sweep(context: UploadsContext, open: Open, shelf: UploadShelf): Promise<void> {
  const { clock } = context;
  for (const upload of open.values()) {
    if (upload.touchedAt === undefined) {
      const modifiedAt = (await upload.data.modifiedAt()) ?? 0;
      // A clock that was wrong once must not keep an upload for ever: one of the future is of now.
      const idleMs = Math.max(0, clock.now() - modifiedAt);
      upload.touchedAt ??= clock.elapsed() - idleMs;
    }
    if (upload.turn.taken || clock.elapsed() - upload.touchedAt <= keptMs) continue;
    await remove(context, open, upload);
  }
  await shelf.removeLitter(open);
}
