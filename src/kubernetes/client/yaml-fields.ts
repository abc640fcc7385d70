import { isObject } from '../../domain/json.ts';
import { ClusterFailure } from './cluster-failure.ts';

/** A map of a parsed document, with where it stands for the errors of its fields. */
export interface Fields {
  /** `~/.kube/config: users[1].user` */
  readonly where: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** An absent or empty text is `undefined`, as for kubectl. Throws where it is no text. */
export function textOf({ where, values }: Fields, name: string): string | undefined {
  const value = values[name] ?? '';
  if (typeof value === 'string') return value === '' ? undefined : value;
  // `token: 12345` is a number to YAML.
  if (typeof value === 'number') return String(value);
  throw wrongField(where, name, 'a text');
}

export function flagOf({ where, values }: Fields, name: string): boolean {
  const value = values[name] ?? false;
  if (typeof value !== 'boolean') throw wrongField(where, name, 'true or false');
  return value;
}

export function mapOf({ where, values }: Fields, name: string): Fields | undefined {
  const value = values[name] ?? undefined;
  if (value === undefined) return undefined;
  if (!isObject(value)) throw wrongField(where, name, 'a map');
  return { where: `${where}.${name}`, values: value };
}

export function listOf({ where, values }: Fields, name: string): readonly unknown[] {
  const value = values[name] ?? [];
  if (!Array.isArray(value)) throw wrongField(where, name, 'a list');
  return value;
}

export function wrongField(where: string, name: string, what: string): ClusterFailure {
  return new ClusterFailure(`${where}.${name} is not ${what}`, {
    kind: 'config',
    hint: 'kubectl config view shows the file as kubectl reads it',
  });
}
