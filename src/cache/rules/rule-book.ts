import type { RegistryKey } from '../../domain/names/registry.ts';
import type { ApiUpstreams } from '../../domain/rules/api-rule.ts';
import { ruleOfApi } from '../../domain/rules/api-rule.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import type { RulesInForce, RuleSet } from '../../domain/rules/rule-set.ts';
import { createRuleSet } from '../../domain/rules/rule-set.ts';
import type { RankedRule } from '../../domain/rules/rules-in-force.ts';
import { rankRules, rulesInForce } from '../../domain/rules/rules-in-force.ts';
import type { RuleMetadata } from '../../metadata/contract/metadata.ts';
import type { PullRuleKey, PullRuleRow } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Invalidation, Invalidations } from '../../ports/invalidations.ts';
import { ConfiguredRules } from './configured-rules.ts';
import type { ConfiguredRulesParts } from './configured-rules.ts';
import type { CredentialParts, RuleCredential } from './rule-credentials.ts';
import {
  holderOf,
  isSameCredential,
  isSameHolder,
  readRuleCredential,
} from './rule-credentials.ts';

export interface RuleBookParts extends CredentialParts {
  readonly metadata: {
    readonly rules: Pick<
      RuleMetadata,
      'findPullRule' | 'hasPullRules' | 'listAllPullRules' | 'setRuleHolder'
    >;
  } & ConfiguredRulesParts['metadata'];
  readonly invalidations: Invalidations;
  readonly clock: Clock;
  readonly home: RegistryKey;
  /** The home registry's rules of the configuration in force. */
  readonly configured: () => readonly PullRule[];
  readonly upstreams: () => ApiUpstreams;
  /** Rules are in force that were not before, or others are no more. */
  readonly onChange: () => void;
  /** What could not be read; it is tried again in a second. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * The rules of every registry, in memory: a pull asks for them without waiting. It hears of changes, reads them anew and puts them in
 * force; what none of them touches stays the same object.
 */
export interface RuleBook extends Disposable {
  readonly inForce: RulesInForce;
  /** All, with those that another one of their prefix keeps out of force. */
  all(registry: RegistryKey): readonly BookedRule[];
  /** Those made through an API, and those of the file beside them: one of each prefix, in byte order, each by its prefix too. */
  described(registry: RegistryKey): ReadonlyMap<string, BookedRule>;
  /** Resolves when every change that was noted before is in force; rejects where it could not be read yet. */
  settled(): Promise<void>;
}

/** A rule, and how it was made where that was through an API. */
export interface BookedRule extends RankedRule {
  readonly row: PullRuleRow | undefined;
}

/** A rule as it was read, and as it is in force. */
interface Entry {
  readonly row: PullRuleRow;
  readonly credential: RuleCredential;
  readonly upstreams: ApiUpstreams;
  readonly rule: PullRule;
}

interface Shelf {
  readonly entries: Map<string, Entry>;
  all: readonly BookedRule[];
  /** Made when it is asked for. */
  described: ReadonlyMap<string, BookedRule> | undefined;
  set: RuleSet;
}

type Task =
  | ({ readonly kind: 'rule' } & PullRuleKey)
  | { readonly kind: 'secrets'; readonly registry: RegistryKey }
  | { readonly kind: 'credentials' }
  | { readonly kind: 'all' };

const rowsPerPage = 500;
const retryMs = 1000;
const emptySet = createRuleSet([]);

/** Resolves when the rules that are there are in force. */
export async function openRuleBook(parts: RuleBookParts): Promise<RuleBook> {
  const book = new Book(parts);
  await book.open();
  return book;
}

class Book implements RuleBook {
  readonly #parts: RuleBookParts;
  readonly #shelves = new Map<RegistryKey, Shelf>();
  readonly #tasks = new Map<string, Task>();
  readonly #configured: ConfiguredRules;
  readonly #subscription: Disposable;
  #running: Promise<void> | undefined;
  #retry: Disposable | undefined;
  #revision = 0;
  #isOver = false;

  constructor(parts: RuleBookParts) {
    this.#parts = parts;
    this.#configured = new ConfiguredRules(parts);
    this.#subscription = parts.invalidations.subscribe((each) => this.#hear(each));
    this.#arrange(parts.home);
  }

  readonly inForce = {
    of: (registry: RegistryKey): RuleSet => this.#shelves.get(registry)?.set ?? emptySet,
    stamp: {},
  };

  all(registry: RegistryKey): readonly BookedRule[] {
    return this.#shelves.get(registry)?.all ?? [];
  }

  described(registry: RegistryKey): ReadonlyMap<string, BookedRule> {
    const shelf = this.#shelves.get(registry);
    if (shelf === undefined) return new Map();
    return (shelf.described ??= describe(shelf.all));
  }

  settled(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  async open(): Promise<void> {
    if (await this.#parts.metadata.rules.hasPullRules()) await this.#readAll();
    else await this.#readConfigured();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#subscription[Symbol.dispose]();
    this.#retry?.[Symbol.dispose]();
    this.#tasks.clear();
  }

  #hear(invalidation: Invalidation): void {
    switch (invalidation.kind) {
      case 'rules':
        return this.#want({ ...invalidation, kind: 'rule' });
      case 'secrets':
        return this.#want(invalidation);
      case 'missed':
        return this.#want({ kind: 'all' });
      case 'configuration':
        // The file's rules are in force at once, but for an API's secret that none of them named before; what it says of others, and its
        // secrets, when these are read.
        if (this.#configured.isRead) this.#arrange(this.#parts.home);
        return this.#want({ kind: 'credentials' });
      case 'repository':
      case 'policies':
      case 'credentials':
      case 'keys':
    }
  }

  #want(task: Task): void {
    this.#tasks.set(JSON.stringify(task), task);
    if (this.#running !== undefined) return;
    this.#running = this.#work();
    // Told to `onFailure`; whoever waits hears it besides.
    this.#running.catch(() => undefined);
  }

  async #work(): Promise<void> {
    try {
      // What is noted in one go is done together.
      await Promise.resolve();
      for (let next = this.#next(); next !== undefined; next = this.#next())
        await this.#do(next.task, next.key);
    } finally {
      this.#running = undefined;
    }
  }

  #next(): { readonly key: string; readonly task: Task } | undefined {
    for (const [key, task] of this.#tasks) {
      this.#tasks.delete(key);
      return { key, task };
    }
    return undefined;
  }

  async #do(task: Task, key: string): Promise<void> {
    try {
      await this.#perform(task);
      this.#parts.onChange();
    } catch (error) {
      if (!this.#isOver) this.#tryAgain(task, key, error);
      throw error;
    }
  }

  #tryAgain(task: Task, key: string, error: unknown): void {
    this.#tasks.set(key, task);
    this.#parts.onFailure(error);
    this.#retry?.[Symbol.dispose]();
    this.#retry = this.#parts.clock.after(retryMs, () => this.#want(task));
  }

  #perform(task: Task): Promise<void> {
    switch (task.kind) {
      case 'rule':
        return this.#readRule(task);
      case 'secrets':
        return this.#readSecrets(task.registry);
      case 'credentials':
        return this.#readSecrets(undefined);
      case 'all':
        return this.#readAll();
    }
  }

  async #readRule({ registry, prefix }: PullRuleKey): Promise<void> {
    const row = await this.#parts.metadata.rules.findPullRule({ registry, prefix });
    const entry = row && (await this.#entryOf(row));
    const shelf = this.#shelfOf(registry);
    if (entry === undefined) shelf.entries.delete(prefix);
    else shelf.entries.set(prefix, entry);
    this.#arrange(registry);
  }

  async #readAll(): Promise<void> {
    await this.#readConfigured();
    const found = new Map<RegistryKey, Map<string, Entry>>();
    let after: PullRuleRow | undefined;
    do {
      const rows = await this.#parts.metadata.rules.listAllPullRules(after, rowsPerPage);
      for (const row of rows) {
        const entry = await this.#entryOf(row);
        if (entry === undefined) continue;
        const there = found.get(row.registry) ?? new Map<string, Entry>();
        found.set(row.registry, there.set(row.prefix, entry));
      }
      after = rows.length < rowsPerPage ? undefined : rows.at(-1);
    } while (after !== undefined);
    for (const registry of new Set([...this.#shelves.keys(), ...found.keys()])) {
      const { entries } = this.#shelfOf(registry);
      entries.clear();
      for (const [prefix, entry] of found.get(registry) ?? []) entries.set(prefix, entry);
      this.#arrange(registry);
    }
  }

  /** What can't be read keeps no rule of a new configuration out of force. */
  async #readConfigured(): Promise<void> {
    let changed = true;
    try {
      changed = await this.#configured.read();
    } finally {
      if (changed) this.#arrange(this.#parts.home);
    }
  }

  /** Of a registry, or of all, which may also be admitted otherwise than before. */
  async #readSecrets(registry: RegistryKey | undefined): Promise<void> {
    const upstreams = this.#parts.upstreams();
    if (registry === undefined || registry === this.#parts.home) await this.#readConfigured();
    for (const [key, { entries }] of this.#shelves) {
      if (registry !== undefined && key !== registry) continue;
      let changed = false;
      for (const [prefix, before] of entries) {
        if (before.row.credentialArn === undefined && before.upstreams === upstreams) continue;
        const entry = await this.#entryOf(before.row);
        // A change of the rule itself is a task of its own, after this one.
        if (entry === undefined || entry === before) continue;
        entries.set(prefix, entry);
        changed = true;
      }
      if (changed) this.#arrange(key);
    }
  }

  /** The entry that is there where it says the same; `undefined` for a row that this version can't read. */
  async #entryOf(row: PullRuleRow): Promise<Entry | undefined> {
    const before = this.#shelves.get(row.registry)?.entries.get(row.prefix);
    const upstreams = this.#parts.upstreams();
    const holder = before?.row.id === row.id ? (before.row.holder ?? row.holder) : row.holder;
    const credential = await readRuleCredential(this.#parts, { ...row, holder });
    if (
      before !== undefined &&
      isSameRow(before.row, row) &&
      before.upstreams === upstreams &&
      isSameCredential(before.credential, credential)
    )
      return before;
    try {
      const rule = this.#ruleOf(row, credential, upstreams);
      const kept = await this.#keepHolder(row, holder, credential);
      return { row: { ...row, holder: kept }, credential, upstreams, rule };
    } catch (error) {
      this.#parts.onFailure(error);
      return undefined;
    }
  }

  #ruleOf(row: PullRuleRow, { credential, problem }: RuleCredential, to: ApiUpstreams): PullRule {
    this.#revision += 1;
    const { id, givenPrefix: prefix, settings } = row;
    const { upstreamUrl, upstreamRegistry, upstreamPrefix, credentialArn, roleArn } = row;
    const request = {
      prefix,
      upstreamUrl,
      upstreamRegistry,
      upstreamPrefix,
      credentialArn,
      roleArn,
    };
    const stored = { ...request, settings, id, revision: this.#revision };
    return ruleOfApi({ ...stored, credential, credentialProblem: problem }, to);
  }

  /** A token that can't be read later, or after a restart, is still known by whose it was. */
  async #keepHolder(
    row: PullRuleRow,
    before: PullRuleRow['holder'],
    credential: RuleCredential,
  ): Promise<PullRuleRow['holder']> {
    const holder = holderOf(credential);
    if (holder === undefined || isSameHolder(holder, row.holder)) return holder ?? before;
    try {
      await this.#parts.metadata.rules.setRuleHolder({ id: row.id, holder });
    } catch (error) {
      // The rule is in force all the same; it is written with the next reading.
      this.#parts.onFailure(error);
      return before;
    }
    return holder;
  }

  #shelfOf(registry: RegistryKey): Shelf {
    const known = this.#shelves.get(registry);
    if (known !== undefined) return known;
    const shelf: Shelf = { entries: new Map(), all: [], described: undefined, set: emptySet };
    this.#shelves.set(registry, shelf);
    return shelf;
  }

  /** Puts a registry's rules in force as they are known now. */
  #arrange(registry: RegistryKey): void {
    const { home } = this.#parts;
    const shelf = this.#shelfOf(registry);
    this.inForce.stamp = {};
    if (shelf.entries.size === 0 && registry !== home) {
      this.#shelves.delete(registry);
      return;
    }
    const made = [...shelf.entries.values()].toSorted(
      (a, b) => a.row.createdAt - b.row.createdAt || (a.row.prefix < b.row.prefix ? -1 : 1),
    );
    const ranked = rankRules(
      registry === home ? this.#configured.rules : [],
      made.map(({ rule }) => rule),
    );
    const rows = new Map(made.map(({ rule, row }) => [rule, row]));
    shelf.all = ranked.map((each) => ({ ...each, row: rows.get(each.rule) }));
    shelf.described = undefined;
    shelf.set = createRuleSet(rulesInForce(ranked));
  }
}

function describe(all: readonly BookedRule[]): ReadonlyMap<string, BookedRule> {
  const file = all.filter(({ rule }) => rule.origin === 'file');
  const made = all.filter(({ row }) => row !== undefined);
  const found = new Map([...file, ...made].map((each) => [each.rule.prefix, each]));
  return new Map([...found].toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** But for whose secret was read last. */
function isSameRow(one: PullRuleRow, other: PullRuleRow): boolean {
  const holder = undefined;
  return JSON.stringify({ ...one, holder }) === JSON.stringify({ ...other, holder });
}
