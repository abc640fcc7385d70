import { dockerHub, predecessorsOf, spellingsOf, successorOf } from '../names/host-name.ts';
import { parseImageName } from '../names/image-name.ts';
import { joinNames, underPrefix } from './name-path.ts';
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
  const placesByHost = new Map<string, Place[]>();
  for (const place of places) for (const host of place.hosts) add(placesByHost, host, place);
  const locals = indexLocals(localNames(places));
  const parts = unusedParts(places);
  const hosts = [...placesByHost].filter(([host]) => isNameable(host));
  const rows = hosts.flatMap(([host, own]) =>
    rowsAt({
      host,
      aliases: [
        ...spellingsOf(host).slice(1),
        ...predecessorsOf(host).filter((old) => !placesByHost.has(old)),
      ],
      points: pointsAt(own, locals),
      resolve: (name) => rules.byHost(host, name)?.repository,
      parts,
    }),
  );
  return rows.toSorted(
    (a, b) => b.path.length - a.path.length || Number(b.exact) - Number(a.exact),
  );
}

/** Finds the line of a table that counts for a name at a host. */
export function findRowIn<Row extends HostRow>(
  rows: readonly Row[],
): (host: string, name: string) => Row | undefined {
  const lines = new Map<string, Lines<Row>>();
  for (const row of rows)
    for (const host of [row.host, ...row.aliases]) {
      const there = lines.get(host) ?? createLines<Row>();
      lines.set(host, there);
      there.add(row);
    }
  return (host, name) => lines.get(host)?.find(name);
}

/** The lines of one host. */
interface Lines<Row extends HostRow> {
  add(row: Row): void;
  find(name: string): Row | undefined;
}

function createLines<Row extends HostRow>(): Lines<Row> {
  const whole = new Map<string, Row>();
  const beginnings = new Map<string, Row>();
  return {
    add: (row) => void (row.exact ? whole : beginnings).set(row.path, row),
    find(name) {
      const exact = whole.get(name);
      if (exact !== undefined) return exact;
      for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1)) {
        const row = beginnings.get(name.slice(0, end));
        if (row !== undefined) return row;
      }
      return beginnings.get('');
    },
  };
}

/** What a line makes of a name that it stands for. */
export function applyRow(row: HostRow, name: string): string | undefined {
  if (row.exact) return row.to;
  const rest = underPrefix(row.path, name) ?? '';
  const to = rest.includes('/') ? row.to : row.toOne;
  return to === undefined ? undefined : joinNames(to, rest);
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

/** Whether an image can be named by a host: `docker-hub/x` is an image of Docker Hub. */
function isNameable(host: string): boolean {
  return parseImageName(`${host}/a/b`)?.host === host;
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
    const rest = upstreamPrefix === '' ? (underPrefix(upstreamHost, prefix) ?? '') : upstreamPrefix;
    for (const base of [prefix, upstreamHost])
      for (const name of [base, joinNames(base, rest), joinNames(base, joinNames('library', rest))])
        names.add(name);
  }
  const prefixes = new Set(places.map(({ prefix }) => prefix));
  names.delete('');
  const first = [...names];
  for (const name of first) {
    const parts = name.split('/');
    const [last = '', parent] = [parts.at(-1), parts.slice(0, -1).join('/')];
    if (parts.at(-2) === 'library') names.add(joinNames(parts.slice(0, -2).join('/'), last));
    if (prefixes.has(parent)) names.add(joinNames(parent, `library/${last}`));
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

interface LocalIndex {
  readonly all: readonly LocalName[];
  /** By each of the names. */
  readonly at: ReadonlyMap<string, readonly LocalName[]>;
  /** By the names and what these are under. */
  readonly under: ReadonlyMap<string, readonly LocalName[]>;
}

function indexLocals(all: readonly LocalName[]): LocalIndex {
  const at = new Map<string, LocalName[]>();
  const below = new Map<string, LocalName[]>();
  for (const local of all)
    for (const name of new Set(local.names)) {
      add(at, name, local);
      for (const each of ancestors(name)) add(below, each, local);
    }
  return { all, at, under: below };
}

/** Names that are under a prefix, and names that the prefix is under. */
function related(locals: LocalIndex, prefix: string): readonly LocalName[] {
  if (prefix === '') return locals.all;
  const above = ancestors(prefix).flatMap((each) => locals.at.get(each) ?? []);
  return [...above, ...(locals.under.get(prefix) ?? [])];
}

/** A name, and what it is under. */
function ancestors(name: string): readonly string[] {
  const parts = name.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** Names at a host at which what its rules make of them may change. */
function pointsAt(places: readonly Place[], locals: LocalIndex): readonly string[] {
  const points = new Set(['', 'library']);
  for (const { prefix, upstreamPrefix, upstreamHost } of places) {
    const own = underPrefix(upstreamHost, prefix);
    for (const name of [upstreamPrefix, ...(own === undefined ? [] : [own])]) points.add(name);
    // Added `library/` may lead from a shorter prefix into this one.
    for (const { names, spellings } of related(locals, prefix)) {
      for (const name of spellings.flatMap(withShortForm)) points.add(name);
      for (const name of prefix === '' ? spellings : names) {
        const rest = name === prefix ? '' : underPrefix(prefix, name);
        if (rest !== undefined) points.add(rest).add(joinNames(upstreamPrefix, rest));
      }
    }
  }
  const found = [...points];
  for (const name of found) {
    const official = underPrefix('library', name);
    if (official !== undefined && !official.includes('/')) points.add(official);
    if (!name.includes('/') && name !== '') points.add(`library/${name}`);
  }
  return [...points].toSorted((a, b) => a.length - b.length);
}

/** A name, and that of an official image without its `library/`. */
function withShortForm(name: string): readonly string[] {
  const short = name.replace(/\/library(\/[^/]+)$/, '$1');
  return short === name ? [name] : [name, short];
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
  const lines = createLines();
  const told = (name: string): string | undefined => {
    const row = lines.find(name);
    return row && applyRow(row, name);
  };
  const say = (line: Omit<HostRow, 'host' | 'aliases'>): void => {
    const row = { host, aliases, ...line };
    rows.push(row);
    lines.add(row);
  };
  for (const path of points) {
    const [short, long] = [joinNames(path, one), joinNames(path, `${one}/${other}`)];
    const [toOne, to] = [resolve(short), resolve(long)];
    if (told(short) !== toOne || told(long) !== to)
      say({
        path,
        exact: false,
        to: to && withoutEnd(to, `${one}/${other}`),
        toOne: toOne && withoutEnd(toOne, one),
      });
    const whole = path === '' ? undefined : resolve(path);
    if (path !== '' && told(path) !== whole)
      say({ path, exact: true, to: whole, toOne: undefined });
  }
  return rows;
}

function withoutEnd(name: string, end: string): string {
  return name.slice(0, -end.length).replace(/\/$/, '');
}

function add<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const there = map.get(key);
  if (there === undefined) map.set(key, [value]);
  else there.push(value);
}
