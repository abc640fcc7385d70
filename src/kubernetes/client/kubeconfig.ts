import { dirname, resolve } from 'node:path';
import type { Document } from 'yaml';
import { isObject } from '../../domain/json.ts';
import { ClusterFailure } from './cluster-failure.ts';
import { listOf, mapOf, textOf, wrongField } from './yaml-fields.ts';
import type { Fields } from './yaml-fields.ts';

export const kubeconfigBytesMax: number = 8 * 1024 * 1024;

/** Clusters, users or contexts by name, as kubectl merges files: of two of one name the first counts. */
type Named = ReadonlyMap<string, Entry>;

export interface Entry {
  readonly fields: Fields;
  /** Relative paths count from here. */
  readonly folder: string;
}

export interface Kubeconfig {
  readonly clusters: Named;
  readonly users: Named;
  readonly contexts: Named;
  readonly currentContext: string | undefined;
  /** The files read, for errors. */
  readonly files: string;
}

/** One file's text; throws a `ClusterFailure` that names the file, and line and column of what is no YAML. */
export async function parseKubeconfig(text: string, file: string): Promise<Kubeconfig> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { prettyErrors: true, logLevel: 'silent' });
  const [error] = document.errors;
  if (error !== undefined) {
    const at = error.linePos?.[0];
    const place = at === undefined ? '' : `:${at.line}:${at.col}`;
    // Its message quotes the line, which may hold a token.
    throw noKubeconfig(`${file}${place} is no YAML`, error.code);
  }
  const value = toValue(document, file) ?? {};
  if (!isObject(value)) throw noKubeconfig(`${file} is no kubeconfig`);
  const fields: Fields = { where: file, values: value };
  const folder = dirname(resolve(file));
  return {
    clusters: namedOf(fields, 'clusters', 'cluster', folder),
    users: namedOf(fields, 'users', 'user', folder),
    contexts: namedOf(fields, 'contexts', 'context', folder),
    currentContext: textOf(fields, 'current-context'),
    files: file,
  };
}

/** Aliases that grow without end throw in here. */
function toValue(document: Pick<Document, 'toJS'>, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch {
    // What is thrown names the alias, which a password that begins with * is.
    throw noKubeconfig(
      `${file} is no kubeconfig`,
      'an alias has no anchor, or aliases grow without end: a text that begins with * needs quotes',
    );
  }
}

function noKubeconfig(message: string, because?: string): ClusterFailure {
  return new ClusterFailure(message, {
    kind: 'config',
    hint: 'name another file with --kubeconfig; kubectl config view shows what kubectl reads',
    ...(because !== undefined && { because }),
  });
}

function namedOf(fields: Fields, list: string, key: string, folder: string): Named {
  const found = new Map<string, Entry>();
  for (const [index, item] of listOf(fields, list).entries()) {
    const where = `${fields.where}: ${list}[${index}]`;
    if (!isObject(item)) throw wrongField(fields.where, `${list}[${index}]`, 'a map');
    const own: Fields = { where, values: item };
    const name = textOf(own, 'name') ?? '';
    const inner = mapOf(own, key) ?? { where: `${where}.${key}`, values: {} };
    if (!found.has(name)) found.set(name, { fields: inner, folder });
  }
  return found;
}

/** As kubectl merges them: the first that names a thing decides it. */
export function mergeKubeconfigs(configs: readonly Kubeconfig[]): Kubeconfig {
  const merged = (of: (config: Kubeconfig) => Named): Named =>
    new Map(configs.toReversed().flatMap((config) => [...of(config)]));
  return {
    clusters: merged(({ clusters }) => clusters),
    users: merged(({ users }) => users),
    contexts: merged(({ contexts }) => contexts),
    currentContext: configs.find(({ currentContext }) => currentContext)?.currentContext,
    files: configs.map(({ files }) => files).join(', '),
  };
}
