import type { ConfigProblem } from './config-error.ts';
import { nearest } from '../domain/nearest.ts';
import { settingLeaves } from './schema/schema.ts';
import type { YamlSource } from './yaml-source.ts';
import { readYaml } from './yaml-source.ts';

/** A setting that an environment variable gives. */
export interface Override {
  readonly name: string;
  readonly path: readonly string[];
  readonly value: unknown;
  /** Positions within the variable's own text; absent where the text is the value. */
  readonly source: YamlSource | undefined;
}

const variablePrefix = 'BREAKWATER__';

/** `BREAKWATER__CACHE__PARALLEL_ABOVE` of `cache.parallelAbove`. */
export function variableName(path: readonly string[]): string {
  const parts = path.map((key) => key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  return variablePrefix + parts.join('__');
}

/** What the environment sets; `BREAKWATER_…` is Kubernetes' and of no concern. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): {
  readonly overrides: readonly Override[];
  readonly problems: readonly ConfigProblem[];
} {
  const leaves = new Map(settingLeaves.map((leaf) => [variableName(leaf.path), leaf]));
  const overrides: Override[] = [];
  const problems: ConfigProblem[] = [];
  for (const [name, text] of Object.entries(env).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!name.startsWith(variablePrefix) || text === undefined) continue;
    const leaf = leaves.get(name);
    if (leaf === undefined) {
      const near = nearest(name.slice(variablePrefix.length), [...leaves.keys()].map(unprefixed));
      const hint = near === undefined ? 'remove it' : `did you mean ${variablePrefix}${near}?`;
      problems.push({ environment: name, key: '', message: `not a setting; ${hint}` });
      continue;
    }
    if (leaf.text) {
      overrides.push({ name, path: leaf.path, value: text, source: undefined });
      continue;
    }
    const source = readYaml(text, { environment: name });
    problems.push(...source.problems);
    if (source.problems.length === 0)
      overrides.push({ name, path: leaf.path, value: source.value, source });
  }
  return { overrides, problems };
}

function unprefixed(name: string): string {
  return name.slice(variablePrefix.length);
}
