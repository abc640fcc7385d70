import type { ImageMapping, MappingRow } from '../../domain/image-rewrite.ts';
import { normalizeHost } from '../../domain/names/host-name.ts';
import { parseImageName } from '../../domain/names/image-name.ts';

/** What the settings of a node are made of, whatever reads them there. */
export interface NodeSettings {
  readonly mapping: ImageMapping;
  readonly scheme: 'https' | 'http';
  /** The certificates, PEM, by which nodes know the registry; `undefined`: by those that they trust anyway. */
  readonly ca: string | undefined;
  /** Shown to the registry alone; `undefined`: nodes are anonymous. */
  readonly key: NodeKey | undefined;
  /** Whether a node asks the upstream itself where the registry has no answer. */
  readonly fallback: boolean;
}

export interface NodeKey {
  readonly user: string;
  readonly password: string;
}

/** A file of a node. */
export interface NodeFile {
  /** Absolute, on the node; of what others read that make nodes, `/` and the name of the fragment. */
  readonly path: string;
  readonly text: string;
  /** Closed to others where a key stands in it. */
  readonly mode: number;
}

/** A host that images are named by, with the lines of the table that say what becomes of its names. */
export interface MirroredHost {
  readonly host: string;
  /** Longest path first. */
  readonly rows: readonly MappingRow[];
}

/**
 * Every host that something leads to, its other names beside it, in the order of the alphabet. Paths that begin with a host are the registry's
 * to read. `replaced`: hosts of registries that this one takes the place of, too; it knows them by their paths, not in `ns`.
 */
export function mirroredHosts(
  { rows }: ImageMapping,
  { replaced }: { readonly replaced: boolean },
): readonly MirroredHost[] {
  const byHost = new Map<string, MappingRow[]>();
  for (const row of rows) {
    if (beginsWithHost(row.path) || (row.replaced && !replaced)) continue;
    for (const host of [row.host, ...row.aliases]) {
      const there = byHost.get(host);
      if (there === undefined) byHost.set(host, [row]);
      else there.push(row);
    }
  }
  return [...byHost]
    .filter(([, own]) => own.some(({ to, toOne }) => (to ?? toOne) !== undefined))
    .map(([host, own]) => ({ host, rows: own }))
    .toSorted((a, b) => (a.host < b.host ? -1 : 1));
}

function beginsWithHost(path: string): boolean {
  const [head = ''] = path.split('/', 1);
  return head !== '' && parseImageName(`${head}/a/b`)?.host === normalizeHost(head);
}

/** Whether all names of the host lead somewhere. */
export function isMirroredWhole({ rows }: MirroredHost): boolean {
  return rows.every(({ to, exact }) => exact || to !== undefined) && rows.at(-1)?.path === '';
}

/** The value of an `Authorization` header. */
export function basicHeader({ user, password }: NodeKey): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}

/** As TOML takes a text in quotes. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f');
}

export const openMode = 0o644;
export const closedMode = 0o600;
