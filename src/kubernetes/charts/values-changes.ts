import type { FieldPath } from '../places/image-place.ts';

/** One value, by its path. */
export interface ValueChange {
  readonly path: FieldPath;
  readonly value: string | boolean | readonly unknown[];
}

type Values = Readonly<Record<string, unknown>>;

/**
 * The changes as values to lay over others. Helm replaces a list as a whole, so that one that is changed is given whole, as
 * `values` have it.
 */
export function valuesOf(changes: readonly ValueChange[], values: Values): Values {
  const made: Record<string, unknown> = Object.create(null);
  for (const { path, value } of wholeLists(changes, values)) put(made, path, value);
  return made;
}

/** The words of `helm`'s command line that say the same. */
export function setArguments(changes: readonly ValueChange[], values: Values): readonly string[] {
  return wholeLists(changes, values).flatMap(({ path, value }) => {
    const name = path.map((part) => String(part).replaceAll(/[\\.,=[\]{}]/g, '\\$&')).join('.');
    if (typeof value === 'object') return ['--set-json', `${name}=${JSON.stringify(value)}`];
    return ['--set', `${name}=${String(value).replaceAll(/[\\,{}]/g, '\\$&')}`];
  });
}

/** No path of these has an index in it. */
function wholeLists(changes: readonly ValueChange[], values: Values): readonly ValueChange[] {
  const made: ValueChange[] = [];
  const lists = new Map<string, unknown[]>();
  for (const { path, value } of changes) {
    const index = path.findIndex((part) => typeof part === 'number');
    if (index < 0) {
      made.push({ path, value });
      continue;
    }
    const at = path.slice(0, index);
    const key = at.join('\0');
    let list = lists.get(key);
    if (list === undefined) {
      list = structuredClone(
        at.reduce<unknown>((below, part) => (below as Values)[part], values),
      ) as unknown[];
      lists.set(key, list);
      made.push({ path: at, value: list });
    }
    put(list as unknown as Record<string, unknown>, path.slice(index), value);
  }
  return made;
}

function put(root: Record<string | number, unknown>, path: FieldPath, value: unknown): void {
  let map = root;
  for (const key of path.slice(0, -1)) {
    const below = Object.hasOwn(map, key) ? map[key] : undefined;
    const next = typeof below === 'object' && below !== null ? below : Object.create(null);
    map[key] = next;
    map = next as Record<string | number, unknown>;
  }
  map[path.at(-1) ?? ''] = value;
}
