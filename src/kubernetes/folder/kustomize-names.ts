import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isObject } from '../../domain/json.ts';
import { textOf } from '../places/field-pattern.ts';
import { imagePlaces } from '../places/image-places.ts';
import { nameOfImage } from '../places/split-image.ts';
import { sourceBytesMax } from '../text/read-source.ts';
import { readDocuments } from '../text/yaml-documents.ts';
import { YamlProblem } from '../text/yaml-tree.ts';

/** Files and folders of one kustomization with all that it brings along. */
const filesMax = 2000;

/** The names of images, without tag and digest, that the resources of a kustomization have, and the files that have each. */
export type ResourceNames = ReadonlyMap<string, readonly string[]>;

/**
 * Reads what a kustomization's `resources`, `bases` and `components` name on this disk, with the kustomizations among them. What
 * is elsewhere, can't be read or goes beyond 2,000 files says nothing.
 */
export function resourceNames(kustomization: string): ResourceNames {
  const names = new Map<string, string[]>();
  const seen = new Set<string>();
  const waiting = [kustomization];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file) || seen.size >= filesMax) continue;
    seen.add(file);
    for (const value of documentsOf(file)) {
      const resources = isObject(value) ? resourcesOf(value) : [];
      for (const resource of resources) waiting.push(...filesAt(join(dirname(file), resource)));
      for (const { image, certainty } of imagePlaces(value)) {
        // A name that another kustomization looks for is none of a resource.
        if (certainty !== 'image' || isKustomization(file)) continue;
        const name = nameOfImage(image);
        names.set(name, [...(names.get(name) ?? []), file]);
      }
    }
  }
  return names;
}

function resourcesOf(value: Readonly<Record<string, unknown>>): readonly string[] {
  return ['resources', 'bases', 'components'].flatMap((key) => {
    const list = value[key];
    return Array.isArray(list) ? list.map(textOf).filter((text) => text !== undefined) : [];
  });
}

const kustomizationNames: readonly string[] = [
  'kustomization.yaml',
  'kustomization.yml',
  'Kustomization',
];

/** Whether a file is the one by which kustomize finds a kustomization. */
export function isKustomization(file: string): boolean {
  return kustomizationNames.some((name) => file.endsWith(`/${name}`));
}

/** A file itself; of a folder its kustomization; nothing of a URL. */
function filesAt(path: string): readonly string[] {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isFile() === true) return [path];
  if (status?.isDirectory() !== true) return [];
  return kustomizationNames
    .map((name) => join(path, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}

function documentsOf(file: string): readonly unknown[] {
  try {
    if (statSync(file).size > sourceBytesMax) return [];
    return readDocuments(readFileSync(file, 'utf8')).documents.map(({ value }) => value);
  } catch (error) {
    if (error instanceof YamlProblem || (error as NodeJS.ErrnoException).code !== undefined)
      return [];
    throw error;
  }
}
