import type { RepositoryKey } from '../../domain/names/registry.ts';
import { randomUUID } from 'node:crypto';
import { Turns } from '../../coordination/turns.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { DigestAlgorithm } from '../../domain/names/digest.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { UploadLease, Uploads } from '../../ports/uploads.ts';
import { placeKeyOf } from './upload-folder.ts';
import type { UploadFolder, UploadName } from './upload-folder.ts';
import { findForgotten, UploadLimits } from './upload-limits.ts';
import type { FullBound, UploadBounds } from './upload-limits.ts';
import { Upload } from './upload.ts';

const boundsByDefault: UploadBounds = { server: 10_000, repository: 1000, owner: 5000 };
const keptMs = 24 * 60 * 60 * 1000;
const turnWaitMs = 10_000;
const retryAfterMs = 1000;

export interface UploadsContext {
  readonly clock: Clock;
  readonly events: Events;
  readonly bounds?: Partial<UploadBounds>;
}

/** Who may have which upload, how many there are, and when they go. */
export class FileUploads implements Uploads {
  readonly #context: UploadsContext;
  readonly #folder: UploadFolder;
  readonly #open = new Map<string, Upload>();
  readonly #limits: UploadLimits;
  readonly #turns: Turns;
  #sweeping: Promise<void> | undefined;

  constructor(context: UploadsContext, folder: UploadFolder) {
    this.#context = context;
    this.#folder = folder;
    this.#limits = new UploadLimits({ ...boundsByDefault, ...context.bounds });
    this.#turns = new Turns(context.clock, {
      atOnce: 1,
      patience: { ms: turnWaitMs, late: tooLong },
    });
    for (const name of folder.found) this.#enter(name, undefined);
  }

  async create(place: RepositoryKey, algorithm: DigestAlgorithm, owner?: string): Promise<string> {
    const { clock } = this.#context;
    const placeKey = placeKeyOf(place);
    for (;;) {
      const full = this.#limits.full(place, placeKey, owner);
      if (full === undefined) break;
      await this.#giveUpOne(full);
    }
    const name = { id: randomUUID(), algorithm, startedAt: clock.now(), placeKey };
    // Counted in the same step as there was room, and before its file is made, so that no sweep takes that for litter.
    const upload = this.#enter(name, owner);
    upload.begin();
    try {
      await this.#folder.create(name, place);
    } catch (error) {
      upload.end();
      throw error;
    }
    return name.id;
  }

  #enter(name: UploadName, owner: string | undefined): Upload {
    const upload = new Upload(name, owner, this.#folder.file(name), {
      ...this.#context,
      turns: this.#turns,
      onEnd: (ended) => {
        this.#open.delete(name.id);
        this.#limits.count(ended, -1);
      },
    });
    this.#open.set(name.id, upload);
    this.#limits.count(upload, 1);
    return upload;
  }

  /** Makes room where it can, or learns what may be given up; throws that it is full where neither. */
  async #giveUpOne({ counts, error }: FullBound): Promise<void> {
    const counted = [...this.#open.values()].filter(counts);
    const unseen = counted.filter(({ isEmpty }) => isEmpty === undefined);
    for (const upload of unseen) await upload.look();
    if (unseen.length > 0) return;
    const forgotten = findForgotten(counted, this.#context.clock);
    if (forgotten === undefined) throw error;
    await forgotten.remove();
  }

  async take(
    place: RepositoryKey,
    id: string,
    signal: AbortSignal,
  ): Promise<UploadLease | undefined> {
    return await this.#find(place, id)?.take(signal);
  }

  async size(place: RepositoryKey, id: string): Promise<number | undefined> {
    return await this.#find(place, id)?.file.size();
  }

  async cancel(place: RepositoryKey, id: string): Promise<boolean> {
    return (await this.#find(place, id)?.cancel()) ?? false;
  }

  #find(place: RepositoryKey, id: string): Upload | undefined {
    const upload = this.#open.get(id);
    return upload?.name.placeKey === placeKeyOf(place) ? upload : undefined;
  }

  async list(): ReturnType<Uploads['list']> {
    const listed: Awaited<ReturnType<Uploads['list']>>[number][] = [];
    const byAge = [...this.#open.values()].sort((a, b) => a.name.startedAt - b.name.startedAt);
    for (const { name, file } of byAge) {
      const place = await this.#folder.place(name.placeKey);
      const size = await file.size();
      if (place === undefined || size === undefined) continue;
      listed.push({ ...place, id: name.id, size, startedAt: name.startedAt });
    }
    return listed;
  }

  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { clock } = this.#context;
    for (const upload of this.#open.values()) {
      if (upload.usedAt === undefined) await upload.look();
      if (upload.isTaken || clock.elapsed() - (upload.usedAt ?? 0) <= keptMs) continue;
      await upload.remove();
    }
    await this.#folder.removeLitter(this.#open);
  }
}

function tooLong(): RegistryError {
  const message = 'Another request has had this upload for 10 seconds; try again when it is done';
  return new RegistryError('unavailable', message, { retryAfterMs });
}
