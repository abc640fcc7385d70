import { readFileSync } from 'node:fs';
import { builtinRules } from '../../../src/domain/rules/builtin-rules.ts';

/** A line of references.txt: a text, and what github.com/distribution/reference 0.6.0 makes of it (`ParseNormalizedNamed`). */
export interface ReferenceRow {
  readonly text: string;
  /** `undefined`: an error. */
  readonly named: NamedReference | undefined;
}

export interface NamedReference {
  /** With the letters' case as it is written. Empty for `foo_bar.com/x`, which distribution takes for a path. */
  readonly domain: string;
  /** With `library/` where it is added. */
  readonly path: string;
  /** `:1.36`, `@sha256:…`, both or nothing. */
  readonly ending: string;
}

/** Every line; the columns behind the second are other parsers'. */
export const referenceTable: readonly ReferenceRow[] = readTable();

/**
 * By capitals alone these name a host, which is held in lower case, where it is none: `host/x` is an image of Docker Hub. crane refuses
 * them too, and what is refused stays as it is.
 */
const refusedHosts: ReadonlySet<string> = new Set(['HOST', 'MyHost']);

/**
 * Whether a text is read as an image name: as distribution does, but for hosts that it reads by capitals alone, and for
 * `foo_bar.com/x`, which it takes for a path without a host, so that no client can ask anybody for it.
 */
export function isRead({ named: as }: ReferenceRow): boolean {
  return as !== undefined && as.domain !== '' && !refusedHosts.has(as.domain);
}

/** What becomes of a text at `host` by the built-in rules, by what distribution makes of it; `undefined`: it stays. */
export function rewrittenHere(row: ReferenceRow, host: string): string | undefined {
  const { named: as } = row;
  if (as === undefined || !isRead(row)) return undefined;
  const at = as.domain.toLowerCase().replace(/:443$/, '');
  const known =
    builtinHosts[at] ?? (builtinRules.some(({ prefix }) => prefix === at) ? at : undefined);
  return known === undefined ? undefined : `${host}/${known}/${as.path}${as.ending}`;
}

/** Other names of the registries of the built-in rules. */
const builtinHosts: Readonly<Record<string, string>> = {
  'index.docker.io': 'docker.io',
  'registry-1.docker.io': 'docker.io',
  'registry.hub.docker.com': 'docker.io',
  'k8s.gcr.io': 'registry.k8s.io',
};

function readTable(): readonly ReferenceRow[] {
  const lines = readFileSync(new URL('references.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  const seen = new Set<string>();
  return lines.map((line) => {
    const [input = '', said = ''] = line.split(' | ');
    const whole = expand(input.trimEnd());
    // The columns are padded, so that a blank at the end of a text can't be told; of a text that stands there twice the second has one.
    const text = seen.has(whole) ? `${whole} ` : whole;
    seen.add(text);
    return { text, named: named(said.trimEnd(), text) };
  });
}

/** `<64a>` is 64 letters; `aa..(130)` goes on with its last letter up to 130 characters as the file has them. */
function expand(input: string): string {
  const cut = /^(.*?(.))\.\.\((\d+)\)$/.exec(input);
  const [, begin = '', last = '', length = ''] = cut ?? [];
  const whole = cut === null ? input : begin + last.repeat(Number(length) - begin.length);
  return whole.replaceAll('<64a>', 'a'.repeat(64));
}

function named(said: string, text: string): NamedReference | undefined {
  const [, domain, path] = /^dom=(\S*) path=(\S+)/.exec(said) ?? [];
  if (domain === undefined || path === undefined) return undefined;
  const hasTag = said.includes(' tag=');
  const hasDigest = said.includes(' dig=');
  const at = text.indexOf('@');
  const tagged = at < 0 ? text : text.slice(0, at);
  const tag = hasTag ? tagged.slice(tagged.lastIndexOf(':')) : '';
  return { domain, path, ending: tag + (hasDigest ? text.slice(at) : '') };
}
