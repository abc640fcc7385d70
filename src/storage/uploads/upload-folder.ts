import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createCoalesced } from '../../coordination/coalesced.ts';
import { createInOrder } from '../../coordination/in-order.ts';
import { parseJsonObject } from '../../domain/json.ts';
import type { DigestAlgorithm } from '../../domain/names/digest.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { Folders } from '../disk/folders.ts';
import { OpenFile } from '../disk/open-file.ts';
import { readSmallFile, removeFile, writeSmallFile } from '../disk/small-file.ts';
import { UploadFile } from './upload-file.ts';
import type { UploadFilesContext } from './upload-file.ts';

export interface UploadFolderContext extends UploadFilesContext {
  readonly folders: Folders;
}

/** What is known of an upload for as long as it lives. Its data file's name says all of it, so that making the name durable is enough. */
export interface UploadName {
  readonly id: string;
  readonly algorithm: DigestAlgorithm;
  /** Wall time in ms. */
  readonly startedAt: number;
  readonly placeKey: string;
}

const dataPattern = new RegExp(
  '^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})' +
    '\\.(sha256|sha512)\\.([0-9]{1,16})\\.([0-9a-f]{32})\\.data$',
);
const placePattern = /^([0-9a-f]{32})\.place$/;
const maxPlaceBytes = 4096;

export function dataNameOf({ id, algorithm, startedAt, placeKey }: UploadName): string {
  return `${id}.${algorithm}.${Math.floor(startedAt)}.${placeKey}.data`;
}

/** `undefined` for any other file. */
export function parseDataName(name: string): UploadName | undefined {
  const match = dataPattern.exec(name);
  if (match === null) return undefined;
  const [, id, algorithm, startedAt, placeKey] = match as unknown as readonly string[];
  return {
    id: id!,
    algorithm: algorithm as DigestAlgorithm,
    startedAt: Number(startedAt),
    placeKey: placeKey!,
  };
}

/** The file that tells which place a key stands for. */
export function placeNameOf(placeKey: string): string {
  return `${placeKey}.place`;
}

/** The key of the place that the file describes; `undefined` for any other file. */
export function parsePlaceName(name: string): string | undefined {
  return placePattern.exec(name)?.[1];
}

/** The place in 32 characters that suit a file name. */
export function placeKeyOf({ registry, repository }: RepositoryKey): string {
  return createHash('sha256').update(`${registry}\n${repository}`).digest('hex').slice(0, 32);
}

/** The files of all uploads: a data file each, and one for each place that they belong to. */
export class UploadFolder {
  /** What an earlier process left. */
  readonly found: readonly UploadName[];
  readonly #context: UploadFolderContext;
  readonly #root: string;
  readonly #places: Places;
  readonly #syncNames: () => Promise<void>;

  private constructor(context: UploadFolderContext, root: string, found: readonly UploadName[]) {
    this.found = found;
    this.#context = context;
    this.#root = root;
    this.#places = new Places(context, root);
    this.#syncNames = createCoalesced(() => context.folders.sync(root));
  }

  /** `root` is a folder that is there. */
  static async open(context: UploadFolderContext, root: string): Promise<UploadFolder> {
    const names = await context.files.readdir(root);
    const found = names.map(parseDataName).filter((name) => name !== undefined);
    return new UploadFolder(context, root, found);
  }

  /** Makes an empty file; resolves once a power cut can't undo it. A failed call leaves nothing. */
  async create(name: UploadName, place: RepositoryKey): Promise<void> {
    const { files, folders, events } = this.#context;
    const path = join(this.#root, dataNameOf(name));
    try {
      await folders.ensure(this.#root);
      await this.#places.keep(name.placeKey, place);
      const file = await OpenFile.open(files, events, path, 'update');
      await file[Symbol.asyncDispose]();
      await this.#syncNames();
    } catch (error) {
      // Somebody may have taken the folder away with all that was in it.
      folders.forgetAll();
      this.#places.forgetAll();
      await removeFile(files, path).catch(() => undefined);
      throw error;
    }
  }

  /** The bytes of one that was found, or is being created; touches nothing. */
  file(name: UploadName): UploadFile {
    return new UploadFile(this.#context, join(this.#root, dataNameOf(name)), name.algorithm);
  }

  /** `undefined` where it can't be known. */
  place(placeKey: string): Promise<RepositoryKey | undefined> {
    return this.#places.find(placeKey);
  }

  /** Removes all that belongs to none of the uploads, which are looked at anew for each file. */
  async removeLitter(uploads: ReadonlyMap<string, { readonly name: UploadName }>): Promise<void> {
    const { files } = this.#context;
    const found = await files.readdir(this.#root);
    for (const file of found.filter((each) => !isOfPlace(each))) {
      const name = parseDataName(file);
      if (name === undefined || !uploads.has(name.id))
        await removeFile(files, join(this.#root, file));
    }
    const used = (): Set<string> => new Set([...uploads.values()].map(({ name }) => name.placeKey));
    await this.#places.removeUnused(found.filter(isOfPlace), used);
  }
}

function isOfPlace(name: string): boolean {
  return parsePlaceName(name.replace(/\.tmp$/, '')) !== undefined;
}

/** Which place a key stands for: needed to list uploads, never to find one. */
class Places {
  readonly #context: UploadFolderContext;
  readonly #root: string;
  readonly #known = new Map<string, RepositoryKey>();
  readonly #inOrder = createInOrder();

  constructor(context: UploadFolderContext, root: string) {
    this.#context = context;
    this.#root = root;
  }

  /** Written before the first upload of the place is. */
  async keep(placeKey: string, place: RepositoryKey): Promise<void> {
    if (!this.#known.has(placeKey)) await this.#inOrder(() => this.#write(placeKey, place));
  }

  async find(placeKey: string): Promise<RepositoryKey | undefined> {
    return this.#known.get(placeKey) ?? this.#inOrder(() => this.#read(placeKey));
  }

  /** Of these files, those of no used place, and what a crash left of writing one. */
  removeUnused(names: readonly string[], used: () => ReadonlySet<string>): Promise<void> {
    return this.#inOrder(async () => {
      const inUse = used();
      const litter = names.filter((name) => !inUse.has(parsePlaceName(name) ?? ''));
      // Forgotten first: a place that is wanted meanwhile is written again, after this.
      for (const name of litter) this.#known.delete(parsePlaceName(name) ?? '');
      for (const name of litter) await removeFile(this.#context.files, join(this.#root, name));
    });
  }

  /** What was written may be gone. */
  forgetAll(): void {
    this.#known.clear();
  }

  async #write(placeKey: string, place: RepositoryKey): Promise<void> {
    if (this.#known.has(placeKey)) return;
    const { files, events } = this.#context;
    const text = JSON.stringify({ registry: place.registry, repository: place.repository });
    await writeSmallFile(files, events, this.#pathOf(placeKey), text);
    this.#known.set(placeKey, { registry: place.registry, repository: place.repository });
  }

  async #read(placeKey: string): Promise<RepositoryKey | undefined> {
    const { files, events } = this.#context;
    const text = await readSmallFile(files, events, this.#pathOf(placeKey), maxPlaceBytes);
    const place = text === undefined ? undefined : parsePlace(text);
    if (place !== undefined) this.#known.set(placeKey, place);
    return place;
  }

  #pathOf(placeKey: string): string {
    return join(this.#root, placeNameOf(placeKey));
  }
}

function parsePlace(text: string): RepositoryKey | undefined {
  const { registry, repository } = parseJsonObject(text) ?? {};
  const name = typeof repository === 'string' ? parseRepositoryName(repository) : undefined;
  if (name === undefined || typeof registry !== 'string' || !registry.includes('/')) {
    return undefined;
  }
  return { registry: registry as RegistryKey, repository: name };
}
