import { normalizeHost, predecessorsOf, spellingsOf } from './names/host-name.ts';
import type { ImageName } from './names/image-name.ts';
import { imageEnding, parseImageName } from './names/image-name.ts';
import { repositoryNameCharactersMax } from './names/repository-name.ts';
import type { HostRow } from './rules/host-table.ts';
import { applyRow, findRowIn, hostTable } from './rules/host-table.ts';
import type { NamingRule, PullTarget } from './rules/pull-rule.ts';
import type { RuleSet } from './rules/rule-set.ts';
import { createRuleSet, rootPrefix } from './rules/rule-set.ts';

/** What becomes of the images of others where one registry stands before all of them. */
export interface ImageMapping {
  /** What images here begin with: a host, with its port. */
  readonly registryHost: string;
  /** What stands here in place of an image; tag and digest stay as they are written, and none is made up. */
  readonly rewrite: (reference: string) => Rewritten;
  /** What an image here is called upstream. */
  readonly revert: (reference: string) => Rewritten;
  /** What `rewrite` does with hosts and paths, as a table; longest path first. Made when it is first asked for. */
  readonly rows: readonly MappingRow[];
}

export type Rewritten =
  | {
      readonly kind: 'rewritten';
      readonly image: string;
      /** Of the rule that leads there; empty where the path stays and no rule leads to it. */
      readonly prefix: string;
      /** What can't be seen in the new name and may matter: a sentence without a full stop. */
      readonly note?: string;
    }
  | { readonly kind: 'unchanged'; readonly reason: UnchangedReason };

/** `cannot be told`: its rule's upstream is no host that an image could be named by. */
export type UnchangedReason =
  | 'no image name'
  | 'ours'
  | 'not ours'
  | 'no rule'
  | 'too long'
  | 'cannot be told';

/** A line of the table; `to` is what stands after our host. */
export interface MappingRow extends HostRow {
  /** Of a registry that this one takes the place of: its paths stay. */
  readonly replaced: boolean;
}

export interface MappingParts<Rule extends NamingRule = NamingRule> {
  /** As it is to be written; checked by `registryHostProblem`. */
  readonly registryHost: string;
  /** Those in force, in the order that counts. */
  readonly rules: readonly Rule[];
  /** Hosts of registries whose place this one takes: a path there is the same path here. */
  readonly replaces?: readonly string[];
}

/** The one function for all that rewrites images or says what becomes of them; which rule counts is `byHost`'s to say. */
export function createImageMapping<Rule extends NamingRule>({
  registryHost,
  rules: given,
  replaces = [],
}: MappingParts<Rule>): ImageMapping {
  const rules = createRuleSet(given);
  const ours = normalizeHost(registryHost);
  const replaced = new Set(replaces.map(normalizeHost));
  let table: Table | undefined;
  const tableOf = (): Table =>
    (table ??= createTable(mappingRows(hostTable(rules), replaced, ours)));

  const here = (image: ImageName, repository: string, rest: Found): Rewritten => {
    const name = `${registryHost}/${repository}`;
    // Clients count host and name together.
    if (name.length > repositoryNameCharactersMax) return unchanged('too long');
    return { kind: 'rewritten', image: name + imageEnding(image), ...rest };
  };

  return {
    registryHost,
    get rows() {
      return tableOf().rows;
    },
    rewrite(reference) {
      const image = parseImageName(reference);
      if (image === undefined) return unchanged('no image name');
      const { host, repository } = image;
      if (host === ours) return unchanged('ours');
      if (replaced.has(host)) {
        const rule = rules.byPath(repository)?.rule;
        const note = rule === undefined ? { note: noRuleNote(repository) } : {};
        return here(image, repository, { prefix: rule?.prefix ?? '', ...note });
      }
      const target = rules.byHost(host, repository);
      if (target === undefined) {
        const row = tableOf().find(host, repository);
        // What the table leads somewhere and the rules do not has no name here that is short enough.
        const named = row === undefined ? undefined : applyRow(row, repository);
        return unchanged(named === undefined ? 'no rule' : 'too long');
      }
      const prefix = target.rule?.prefix ?? '';
      return here(image, target.repository, { prefix, ...frozenNote(host, target) });
    },
    revert(reference) {
      const image = parseImageName(reference);
      if (image === undefined) return unchanged('no image name');
      if (image.host !== ours) return unchanged('not ours');
      const target = rules.byPath(image.repository);
      if (target?.rule === undefined) return unchanged('no rule');
      const name = upstreamName(rules, target, target.rule);
      if (name === undefined) return unchanged('cannot be told');
      if (name.length > repositoryNameCharactersMax) return unchanged('too long');
      const { prefix } = target.rule;
      return { kind: 'rewritten', image: name + imageEnding(image), prefix, ...spellingNote(name) };
    },
  };
}

type Found = Omit<Extract<Rewritten, { readonly kind: 'rewritten' }>, 'kind' | 'image'>;

function unchanged(reason: UnchangedReason): Rewritten {
  return { kind: 'unchanged', reason };
}

function nameOf({ host, repository }: ImageName): string {
  return `${host}/${repository}`;
}

/**
 * The repository itself where its prefix is a host and this leads back here, which that of a longer prefix need not; else the
 * upstream's name. `undefined` where no image can be named so.
 */
function upstreamName<Rule extends NamingRule>(
  rules: RuleSet<Rule>,
  { repository, upstreamRepository }: PullTarget<Rule>,
  { prefix, upstreamHost, urls }: Rule,
): string | undefined {
  // Without a port clients mean https.
  const host = urls[0].plain && !/:\d+$/.test(upstreamHost) ? `${upstreamHost}:80` : upstreamHost;
  const imageOf = (name: string): ImageName | undefined => {
    const image = parseImageName(name);
    return image !== undefined && nameOf(image) === name ? image : undefined;
  };
  const local = prefix === rootPrefix ? undefined : imageOf(repository);
  if (local !== undefined && rules.byHost(local.host, local.repository)?.repository === repository)
    return nameOf(local);
  const there = imageOf(`${host}/${upstreamRepository}`);
  return there && nameOf(there);
}

/** Frozen hosts lead to their successor, which is another registry. */
function frozenNote(host: string, { rule }: PullTarget<NamingRule>): { readonly note?: string } {
  const { upstreamHost, prefix } = rule ?? {};
  const successor = [upstreamHost, prefix].find(
    (each) => each !== undefined && predecessorsOf(each).includes(host),
  );
  return successor === undefined
    ? {}
    : {
        note: `${host} is frozen; its images are those of ${successor}, and are called so when they are reverted`,
      };
}

/** Which of several names of a registry stood there before can't be told. */
function spellingNote(name: string): { readonly note?: string } {
  const [host = ''] = name.split('/', 1);
  const others = [...spellingsOf(host).slice(1), ...predecessorsOf(host)];
  return others.length === 0
    ? {}
    : { note: `it may have been written ${others.join(' or ')} instead of ${host}` };
}

interface Table {
  readonly rows: readonly MappingRow[];
  readonly find: (host: string, name: string) => MappingRow | undefined;
}

function createTable(rows: readonly MappingRow[]): Table {
  return { rows, find: findRowIn(rows) };
}

function noRuleNote(repository: string): string {
  return `no rule leads to ${repository}: it must have been pushed here`;
}

/** Names that mean ourselves or a registry that is replaced mean nothing else. */
function mappingRows(
  rows: readonly HostRow[],
  replaced: ReadonlySet<string>,
  ours: string,
): readonly MappingRow[] {
  const isTaken = (host: string): boolean => {
    const normalized = normalizeHost(host);
    return normalized === ours || replaced.has(normalized);
  };
  const others = [...replaced].filter((host) => host !== ours);
  return [
    ...rows
      .flatMap(({ host, aliases, ...row }) => {
        const [first, ...names] = [host, ...aliases].filter((name) => !isTaken(name));
        return first === undefined ? [] : [{ host: first, aliases: names, ...row }];
      })
      .map((row) => ({ ...row, replaced: false })),
    ...others.map((host) => ({
      host,
      aliases: spellingsOf(host).slice(1),
      path: '',
      exact: false,
      to: '',
      toOne: '',
      replaced: true,
    })),
  ];
}
