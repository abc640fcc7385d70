import { dockerHub, predecessorsOf, spellingsOf, successorOf } from '../names/host-name.ts';
import { parseImageName } from '../names/image-name.ts';
import type { NamingRule } from './pull-rule.ts';
import type { RuleSet } from './rule-set.ts';
import { rootPrefix, withCanonicalHead } from './rule-set.ts';

/**
 * A line of what `byHost` does, for whoever has no rule set. Of the lines of a host the one with the longest path counts that a name
 * begins with in whole parts; a line that stands for the name alone goes before it.
 */
export interface HostRow {
  /** As images are named by it, normalized. */
  readonly host: string;
  /** Its other names, and frozen hosts whose content it has. */
  readonly aliases: readonly string[];
  /** Of names at the host, without slashes at its ends; empty: every name. */
  readonly path: string;
  /** The line stands for the name `path` alone. */
  readonly exact: boolean;
  /** What stands here in place of the path; empty: nothing, what follows is the whole name. `undefined`: no rule leads there. */
  readonly to: string | undefined;
  /** The same where a single part follows: `docker.io/library`. */
  readonly toOne: string | undefined;
}

/** The lines for the hosts of the rules, the other names of these and the paths that lead elsewhere; longest path first. */
export function hostTable<Rule extends NamingRule>(rules: RuleSet<Rule>): readonly HostRow[] {
  const places = rules.rules.map(placeOf);
  const locals = localNames(places);
  const parts = unusedParts(places);
  const hosts = hostsOf(places);
  const rows = [...hosts].flatMap((host) => {
    return rowsAt({
      host,
      aliases: [
        ...spellingsOf(host).slice(1),
        ...predecessorsOf(host).filter((old) => !hosts.has(old)),
      ],
      // A line of any of its rules can lead elsewhere.
      points: pointsAt(
        places.filter((place) => place.hosts.includes(host)),
        locals,
      ),
      resolve: (name) => rules.byHost(host, name)?.repository,
      parts,
    });
  });
  return rows.toSorted(
    (a, b) => b.path.length - a.path.length || Number(b.exact) - Number(a.exact),
  );
}

/** The line of the table that counts for a name at a host. */
export function rowFor(rows: readonly HostRow[], host: string, name: string): HostRow | undefined {
  return rows.find(
    (row) =>
      (row.host === host || row.aliases.includes(host)) &&
      (row.exact ? row.path === name : under(row.path, name) !== undefined),
  );
}

/** What a line makes of a name that it stands for. */
export function applyRow(row: HostRow, name: string): string | undefined {
  if (row.exact) return row.to;
  const rest = under(row.path, name) ?? '';
  const to = rest.includes('/') ? row.to : row.toOne;
  return to === undefined ? undefined : join(to, rest);
}

/** Where a rule's names are, here and there. */
interface Place {
  /** Empty for ROOT. */
  readonly prefix: string;
  readonly upstreamPrefix: string;
  readonly upstreamHost: string;
  /** Every host that the rule may be asked by. */
  readonly hosts: readonly string[];
}

function placeOf({ prefix: written, upstreamHost, upstreamPrefix, urls }: NamingRule): Place {
  const prefix = written === rootPrefix ? '' : withCanonicalHead(written);
  const hosts = [upstreamHost, ...(urls[0].plain ? [`${upstreamHost}:80`] : [])];
  return {
    prefix,
    upstreamPrefix,
    upstreamHost,
    hosts: prefix === '' || prefix.includes('/') ? hosts : [...hosts, prefix],
  };
}

/** Those that an image can be named by: `docker-hub/x` is an image of Docker Hub. */
function hostsOf(places: readonly Place[]): ReadonlySet<string> {
  return new Set(
    places
      .flatMap(({ hosts }) => hosts)
      .filter((host) => parseImageName(`${host}/a/b`)?.host === host),
  );
}

interface LocalName {
  /** It, and of a frozen host that of its successor. */
  readonly names: readonly string[];
  /** It, and whatever leads to the same. */
  readonly spellings: readonly string[];
}

/** Names here at which another rule or another name begins, in every spelling; more of them than needed change nothing. */
function localNames(places: readonly Place[]): readonly LocalName[] {
  // Its other names are read as that one under ROOT too.
  const names = new Set<string>([dockerHub]);
  for (const { prefix, upstreamHost, upstreamPrefix } of places) {
    const rest = upstreamPrefix === '' ? (under(upstreamHost, prefix) ?? '') : upstreamPrefix;
    for (const base of [prefix, upstreamHost])
      for (const name of [base, join(base, rest), join(base, join('library', rest))])
        names.add(name);
  }
  const prefixes = new Set(places.map(({ prefix }) => prefix));
  names.delete('');
  const first = [...names];
  for (const name of first) {
    const parts = name.split('/');
    const [last = '', parent] = [parts.at(-1), parts.slice(0, -1).join('/')];
    if (parts.at(-2) === 'library') names.add(join(parts.slice(0, -2).join('/'), last));
    if (prefixes.has(parent)) names.add(join(parent, `library/${last}`));
  }
  return [...names].map((name) => {
    const [head = '', ...rest] = name.split('/');
    const withHead = (each: string): string => [each, ...rest].join('/');
    const heads = [...spellingsOf(head), ...predecessorsOf(head)];
    return {
      names: [head, successorOf(head) ?? head].map(withHead),
      spellings: heads.map(withHead),
    };
  });
}

/** Names at a host at which what its rules make of them may change. */
function pointsAt(places: readonly Place[], locals: readonly LocalName[]): readonly string[] {
  const points = new Set(['', 'library']);
  for (const { prefix, upstreamPrefix, upstreamHost } of places) {
    const own = under(upstreamHost, prefix);
    for (const name of [upstreamPrefix, ...(own === undefined ? [] : [own])]) points.add(name);
    for (const { names, spellings } of locals) {
      // Added `library/` may lead from a shorter prefix into this one.
      if (names.some((name) => isUnder(prefix, name) || isUnder(name, prefix)))
        for (const name of spellings) points.add(name);
      for (const name of prefix === '' ? spellings : names) {
        const rest = name === prefix ? '' : under(prefix, name);
        if (rest !== undefined) points.add(rest).add(join(upstreamPrefix, rest));
      }
    }
  }
  const found = [...points];
  for (const name of found) {
    const official = under('library', name);
    if (official !== undefined && !official.includes('/')) points.add(official);
    if (!name.includes('/') && name !== '') points.add(`library/${name}`);
  }
  return [...points].toSorted((a, b) => a.length - b.length);
}

/** Two parts that no rule names: what becomes of them becomes of all that none names. */
function unusedParts(places: readonly Place[]): readonly [string, string] {
  const used = places.map(({ prefix, upstreamPrefix }) => `${prefix} ${upstreamPrefix}`).join(' ');
  let part = 'a';
  while (used.includes(part)) part += 'a';
  return [part, `${part}a`];
}

interface Asked extends Pick<HostRow, 'host' | 'aliases'> {
  /** Shortest first. */
  readonly points: readonly string[];
  readonly resolve: (name: string) => string | undefined;
  readonly parts: readonly [string, string];
}

/** A line for each point where the lines of shorter paths say something else. */
function rowsAt({
  host,
  aliases,
  points,
  resolve,
  parts: [one, other],
}: Asked): readonly HostRow[] {
  const rows: HostRow[] = [];
  const told = (name: string): string | undefined => {
    const row = rowFor(rows, host, name);
    return row && applyRow(row, name);
  };
  for (const path of points) {
    const [short, long] = [join(path, one), join(path, `${one}/${other}`)];
    const [toOne, to] = [resolve(short), resolve(long)];
    if (told(short) !== toOne || told(long) !== to)
      rows.unshift({
        host,
        aliases,
        path,
        exact: false,
        to: to && withoutEnd(to, `${one}/${other}`),
        toOne: toOne && withoutEnd(toOne, one),
      });
    const whole = path === '' ? undefined : resolve(path);
    if (path !== '' && told(path) !== whole)
      rows.unshift({ host, aliases, path, exact: true, to: whole, toOne: undefined });
  }
  return rows;
}

function withoutEnd(name: string, end: string): string {
  return name.slice(0, -end.length).replace(/\/$/, '');
}

function isUnder(prefix: string, name: string): boolean {
  return name === prefix || under(prefix, name) !== undefined;
}

function under(prefix: string, name: string): string | undefined {
  if (prefix === '') return name;
  return name.startsWith(`${prefix}/`) ? name.slice(prefix.length + 1) : undefined;
}

function join(prefix: string, rest: string): string {
  return prefix === '' || rest === '' ? prefix + rest : `${prefix}/${rest}`;
}
