import { join } from 'node:path';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { UploadPlace } from '../../ports/uploads.ts';
import type { Folders } from '../disk/folders.ts';
import { OpenFile } from '../disk/open-file.ts';
import { createCoalesced } from '../../coordination/coalesced.ts';
import { readSmallFile, removeFile, writeSmallFile } from '../disk/small-file.ts';
import { createInOrder } from '../../coordination/in-order.ts';
import type { UploadRecord, UploadShelf } from './upload-data.ts';
import { UploadDataFile } from './upload-data-file.ts';
import type { UploadFilesContext } from './upload-data-file.ts';
import { dataNameOf, parseDataName, parsePlaceName, placeNameOf } from './upload-names.ts';

export interface UploadShelfContext extends UploadFilesContext {
  readonly folders: Folders;
}

const maxPlaceBytes = 4096;

/** Uploads under `root`, a folder that is there: a data file each, and a file for each place that they belong to. */
export async function createUploadShelf(
  context: UploadShelfContext,
  root: string,
): Promise<UploadShelf> {
  const { files, folders } = context;
  const names = await files.readdir(root);
  const places = createPlaces(context, root);
  const pathOf = (record: UploadRecord): string => join(root, dataNameOf(record));
  const syncNames = createCoalesced(() => folders.sync(root));
  return {
    found: names.map(parseDataName).filter((record) => record !== undefined),
    create: async (record, place) => {
      const path = pathOf(record);
      try {
        await folders.ensure(root);
        await places.keep(record.placeKey, place);
        await makeEmpty(context, path);
        await syncNames();
      } catch (error) {
        // Somebody may have taken the folder away with all that was in it.
        folders.doubt();
        places.doubt();
        await removeFile(files, path).catch(() => undefined);
        throw error;
      }
    },
    of: (record) => new UploadDataFile(context, pathOf(record), record.algorithm),
    place: (placeKey) => places.find(placeKey),
    removeLitter: async (uploads) => {
      const found = await files.readdir(root);
      for (const name of found.filter((each) => !isOfPlace(each))) {
        const record = parseDataName(name);
        if (record !== undefined && uploads.has(record.id)) continue;
        await removeFile(files, join(root, name));
      }
      const used = (): Set<string> =>
        new Set([...uploads.values()].map(({ record }) => record.placeKey));
      await places.removeUnused(found.filter(isOfPlace), used);
    },
  };
}

function isOfPlace(name: string): boolean {
  return parsePlaceName(name.replace(/\.tmp$/, '')) !== undefined;
}

async function makeEmpty({ files, events }: UploadShelfContext, path: string): Promise<void> {
  const file = await OpenFile.open(files, events, path, 'update');
  await file[Symbol.asyncDispose]();
}

/** Which place a key stands for: needed to list uploads, never to find one. */
interface Places {
  /** Written before the first upload of the place is. */
  keep(placeKey: string, place: UploadPlace): Promise<void>;
  find(placeKey: string): Promise<UploadPlace | undefined>;
  /** Of these names, those of no used place, and what a crash left of writing one. */
  removeUnused(names: readonly string[], used: () => ReadonlySet<string>): Promise<void>;
  /** What was written may be gone. */
  doubt(): void;
}

function createPlaces({ files, events }: UploadShelfContext, root: string): Places {
  const known = new Map<string, UploadPlace>();
  const pathOf = (placeKey: string): string => join(root, placeNameOf(placeKey));
  const inOrder = createInOrder();
  const write = async (placeKey: string, place: UploadPlace): Promise<void> => {
    if (known.has(placeKey)) return;
    const text = JSON.stringify({ registry: place.registry, repository: place.repository });
    await writeSmallFile(files, events, pathOf(placeKey), text);
    known.set(placeKey, { registry: place.registry, repository: place.repository });
  };
  const read = async (placeKey: string): Promise<UploadPlace | undefined> => {
    const text = await readSmallFile(files, events, pathOf(placeKey), maxPlaceBytes);
    const place = text === undefined ? undefined : parsePlace(text);
    if (place !== undefined) known.set(placeKey, place);
    return place;
  };
  return {
    keep: async (placeKey, place) => {
      if (!known.has(placeKey)) await inOrder(() => write(placeKey, place));
    },
    find: async (placeKey) => known.get(placeKey) ?? inOrder(() => read(placeKey)),
    removeUnused: (names, used) =>
      inOrder(async () => {
        const inUse = used();
        const litter = names.filter((name) => !inUse.has(parsePlaceName(name) ?? ''));
        // Forgotten first: a place that is wanted meanwhile is written again, after this.
        for (const name of litter) known.delete(parsePlaceName(name) ?? '');
        for (const name of litter) await removeFile(files, join(root, name));
      }),
    doubt: () => known.clear(),
  };
}

function parsePlace(text: string): UploadPlace | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { registry, repository } = value as Record<string, unknown>;
  const name = typeof repository === 'string' ? parseRepositoryName(repository) : undefined;
  if (name === undefined || typeof registry !== 'string' || !registry.includes('/')) {
    return undefined;
  }
  return { registry: registry as RegistryKey, repository: name };
}
