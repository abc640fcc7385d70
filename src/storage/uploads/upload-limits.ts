import type { RepositoryKey } from '../../domain/names/registry.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Upload } from './upload.ts';

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
  readonly counts: (upload: Upload) => boolean;
}

/** An upload that idles longer is likely forgotten; it goes when its room is needed. */
const emptyKeptMs = 5 * 60_000;
const idleKeptMs = 60 * 60_000;
/** Uploads end, or are forgotten, meanwhile. */
const retryAfterMs = 60_000;

/** How many uploads there are, by what bounds them. */
export class UploadLimits {
  readonly #bounds: UploadBounds;
  readonly #inPlace = new Map<string, number>();
  readonly #ofOwner = new Map<string, number>();
  #all = 0;

  constructor(bounds: UploadBounds) {
    this.#bounds = bounds;
  }

  /** One more (`1`), or one less (`-1`). */
  count({ name, owner }: Upload, by: 1 | -1): void {
    this.#all += by;
    add(this.#inPlace, name.placeKey, by);
    if (owner !== undefined) add(this.#ofOwner, owner, by);
  }

  /** The bound that one more would go beyond, the narrowest first. */
  full(
    { repository }: RepositoryKey,
    placeKey: string,
    owner: string | undefined,
  ): FullBound | undefined {
    const bounds = this.#bounds;
    if (owner !== undefined && (this.#ofOwner.get(owner) ?? 0) >= bounds.owner) {
      const error = tooMany('principal', bounds.owner, 'of yours');
      return { error, counts: (upload) => upload.owner === owner };
    }
    if ((this.#inPlace.get(placeKey) ?? 0) >= bounds.repository) {
      const error = tooMany('repository', bounds.repository, `in ${repository}`);
      return { error, counts: ({ name }) => name.placeKey === placeKey };
    }
    if (this.#all < bounds.server) return undefined;
    return { error: tooMany('server', bounds.server, 'on this server'), counts: () => true };
  }
}

function add(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const sum = (counts.get(key) ?? 0) + by;
  if (sum === 0) counts.delete(key);
  else counts.set(key, sum);
}

function tooMany(bound: string, most: number, where: string): RegistryError {
  const message = `${most} uploads ${where} are open, which is the most; finish or cancel some`;
  return new RegistryError('tooManyRequests', message, { retryAfterMs, detail: { bound, most } });
}

/** The upload to give up for a new one: an empty one that idles for minutes, else any that idles for an hour; the longest idle first. */
export function findForgotten(uploads: Iterable<Upload>, clock: Clock): Upload | undefined {
  let found:
    | { readonly upload: Upload; readonly empty: boolean; readonly idleMs: number }
    | undefined;
  for (const upload of uploads) {
    const { usedAt, isEmpty: empty = false } = upload;
    if (usedAt === undefined || upload.isTaken) continue;
    const idleMs = clock.elapsed() - usedAt;
    if (idleMs < (empty ? emptyKeptMs : idleKeptMs)) continue;
    const isBetter = found === undefined || (empty === found.empty ? idleMs > found.idleMs : empty);
    if (isBetter) found = { upload, empty, idleMs };
  }
  return found?.upload;
}
