import { randomUUID } from 'node:crypto';
import { RegistryError } from '../../domain/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { UploadFile, UploadPlace, Uploads } from '../../ports/uploads.ts';
import { createOpenUploads, findForgotten, lookAt, lookAtUnseen } from './open-uploads.ts';
import type { OpenUploads, Upload, UploadBounds } from './open-uploads.ts';
import { placeKeyOf } from './upload-data.ts';
import type { UploadRecord, UploadShelf } from './upload-data.ts';
import { UploadHolder } from './upload-holder.ts';
import type { HeldUpload } from './upload-holder.ts';

const boundsByDefault: UploadBounds = { server: 10_000, repository: 1000, owner: 5000 };
const keptMs = 24 * 60 * 60 * 1000;

export interface UploadsContext {
  readonly clock: Clock;
  readonly events: Events;
  readonly bounds?: Partial<UploadBounds>;
}

/** Uploads over a shelf: who may have which, how many there are, and when they go. */
export function createUploads(context: UploadsContext, shelf: UploadShelf): Uploads {
  const { clock } = context;
  const open = createOpenUploads({ ...boundsByDefault, ...context.bounds }, clock);
  let sweeping: Promise<void> | undefined;
  const uploadOf = (record: UploadRecord, owner: string | undefined): Upload => ({
    record,
    data: shelf.of(record),
    owner,
    touchedAt: undefined,
    empty: undefined,
    holder: undefined,
    adopting: undefined,
    looking: undefined,
  });
  for (const record of shelf.found) open.enter(uploadOf(record, undefined));
  const find = (place: UploadPlace, id: string): Upload | undefined => {
    const upload = open.all.get(id);
    return upload?.record.placeKey === placeKeyOf(place) ? upload : undefined;
  };

  return {
    create: async (place, algorithm, owner) => {
      const placeKey = placeKeyOf(place);
      for (;;) {
        const full = open.full(place, placeKey, owner);
        if (full === undefined) break;
        if (await lookAtUnseen(open, full, clock)) continue;
        const forgotten = findForgotten(open, full, clock);
        if (forgotten === undefined) throw full.error;
        await remove(context, open, forgotten);
      }
      const record = { id: randomUUID(), algorithm, startedAt: clock.now(), placeKey };
      const upload = uploadOf(record, owner);
      upload.touchedAt = clock.elapsed();
      upload.empty = true;
      // Entered first, so that no sweep takes its file for litter.
      open.enter(upload);
      try {
        await shelf.create(record, place);
      } catch (error) {
        open.leave(upload);
        throw error;
      }
      return record.id;
    },
    take: async (place, id, signal) => {
      const upload = find(place, id);
      const turn = upload && (await open.take(upload, signal));
      return turn && hold(context, open, upload, turn);
    },
    size: async (place, id) => find(place, id)?.data.size(),
    cancel: async (place, id) => {
      const upload = find(place, id);
      while (upload?.adopting !== undefined) await upload.adopting.catch(() => undefined);
      if (upload === undefined || open.all.get(id) !== upload) return false;
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

/** Forgets the upload at once, then removes its bytes; what can't be removed is left to a sweep. */
async function remove(
  { events }: UploadsContext,
  open: OpenUploads,
  upload: Upload,
): Promise<void> {
  open.leave(upload);
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
  open: OpenUploads,
  upload: Upload,
  turn: Disposable,
): Promise<UploadFile | undefined> {
  const { record, data } = upload;
  const { id } = record;
  let size: number | undefined;
  try {
    size = await data.open();
  } catch (error) {
    turn[Symbol.dispose]();
    throw error;
  }
  const there = open.all.get(id) === upload;
  if (size === undefined || !there) {
    turn[Symbol.dispose]();
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
      return open.all.get(id) !== upload;
    },
    adopt: (move) => {
      upload.adopting = move()
        .then(() => open.leave(upload))
        .finally(() => (upload.adopting = undefined));
      return upload.adopting;
    },
    remove: () => remove(context, open, upload),
    release: () => {
      upload.holder = undefined;
      upload.touchedAt = context.clock.elapsed();
      upload.empty = holder.size === 0;
      turn[Symbol.dispose]();
    },
  };
  upload.holder = cancel;
  const holder = new UploadHolder(held, size, cancel.signal);
  return holder;
}

async function list(open: OpenUploads, shelf: UploadShelf): ReturnType<Uploads['list']> {
  const listed: (UploadPlace & { id: string; size: number; startedAt: number })[] = [];
  const byAge = [...open.all.values()].sort((a, b) => a.record.startedAt - b.record.startedAt);
  for (const { record, data } of byAge) {
    const place = await shelf.place(record.placeKey);
    const size = await data.size();
    if (place === undefined || size === undefined) continue;
    listed.push({ ...place, id: record.id, size, startedAt: record.startedAt });
  }
  return listed;
}

async function sweep(
  context: UploadsContext,
  open: OpenUploads,
  shelf: UploadShelf,
): Promise<void> {
  const { clock } = context;
  for (const upload of open.all.values()) {
    if (upload.touchedAt === undefined) await lookAt(upload, clock);
    if (open.isTaken(upload) || clock.elapsed() - (upload.touchedAt ?? 0) <= keptMs) continue;
    await remove(context, open, upload);
  }
  await shelf.removeLitter(open.all);
}
