import { isObject } from '../../domain/json.ts';
import type { FieldPath } from './image-place.ts';

/** A value at a path of a document. */
export interface Found {
  readonly value: unknown;
  readonly path: FieldPath;
}

/** A pattern made ready: keys, `[]` for each item of a list, `*` for each value of a map. */
export type FieldPattern = readonly string[];

/** `spec.templates[].container.image` → its steps. */
export function parsePattern(text: string): FieldPattern {
  return text
    .split('.')
    .flatMap((part) => (part.endsWith('[]') ? [part.slice(0, -2), '[]'] : [part]));
}

/** Of one pattern in one object; what a document repeats by aliases is without end. */
const foundMax = 100_000;

/** What stands where a pattern leads, in the order of the document; at most 100,000. */
export function findFields(root: unknown, pattern: FieldPattern): readonly Found[] {
  let found: readonly Found[] = [{ value: root, path: [] }];
  for (const step of pattern) {
    const next: Found[] = [];
    for (const { value, path } of found) {
      for (const each of stepsFrom(value, path, step)) next.push(each);
      if (next.length > foundMax) break;
    }
    found = next.slice(0, foundMax);
    if (found.length === 0) return found;
  }
  return found;
}

function stepsFrom(value: unknown, path: FieldPath, step: string): readonly Found[] {
  if (step === '[]')
    return Array.isArray(value)
      ? value.map((item: unknown, index) => ({ value: item, path: [...path, index] }))
      : [];
  if (!isObject(value)) return [];
  if (step === '*')
    return Object.entries(value).map(([key, item]) => ({ value: item, path: [...path, key] }));
  return Object.hasOwn(value, step) ? [{ value: value[step], path: [...path, step] }] : [];
}

/** A text that says something: no empty one, and no `null` of a format that has only texts. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && !/^(?:|~|null|Null|NULL)$/.test(value) ? value : undefined;
}

/** A tag as it was written, or as a number where quotes were forgotten. */
export function tagText(value: unknown): string | undefined {
  return typeof value === 'number' ? String(value) : textOf(value);
}
