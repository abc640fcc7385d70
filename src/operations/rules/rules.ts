import { randomUUID } from 'node:crypto';
import type { Asker, Audit } from '../../access/access.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { changeOf } from '../../access/audit/audit-entry.ts';
import { explainFailure } from '../../cache/explain/explain.ts';
import type { BookedRule, RuleBook } from '../../cache/rules/rule-book.ts';
import { onceRead } from '../../coordination/call-attempt.ts';
import type { Listing, RuleValidation, RuleView } from '../../contract/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { RegistryKey, RegistrySettings } from '../../domain/names/registry.ts';
import { registryOf } from '../../domain/names/registry.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import type { ApiUpstreams, RuleMeaning, RuleRequest } from '../../domain/rules/api-rule.ts';
import {
  checkCredentialArn,
  checkRoleArn,
  readPrefix,
  readRuleRequest,
} from '../../domain/rules/api-rule.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import { invalidRule, ruleError } from '../../domain/rules/rule-error.ts';
import type { RuleSettings, RuleSettingsChange } from '../../domain/rules/rule-settings.ts';
import { checkRuleSettings } from '../../domain/rules/rule-settings.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { PullRuleChange, PullRuleKey, PullRuleRow } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Invalidations } from '../../ports/invalidations.ts';
import type { SecretValues } from '../../ports/secret-values.ts';
import type { Upstream } from '../../ports/upstream.ts';
import { listing, pageOf, readCursor } from '../page.ts';
import type { PageInput } from '../page.ts';
import type { Places, RegistryInput } from '../places.ts';
import { checkSecret, wholeArn } from './rule-secrets.ts';
import { madeOf, viewMade, viewRule } from './rule-views.ts';
import type { MadeRule } from './rule-views.ts';

export interface RuleInput extends RegistryInput {
  readonly prefix: string;
}

export interface NewRule extends RegistryInput, Omit<RuleRequest, 'settings'> {
  readonly settings?: RuleSettings | undefined;
}

export interface RuleChange extends RuleInput {
  /** An ARN, or the name of a secret of the rule's registry; `null`: none any more. */
  readonly credentialArn?: string | null | undefined;
  readonly roleArn?: string | null | undefined;
  readonly settings?: RuleSettingsChange | undefined;
}

/** A rule as it is now, in the words of whoever made it and in ours. */
export interface ChangedRule {
  readonly rule: MadeRule;
  readonly view: RuleView;
}

/**
 * Rules of a registry. What is changed is in force in this process when it is answered. Creating and changing asks no upstream.
 * Each throws `RegistryError`.
 */
export interface RuleOperations {
  /** All: of the configuration file, made here, built in; with a prefix those of it. */
  list(
    asker: Asker,
    input: RegistryInput & { readonly prefix?: string | undefined },
  ): Promise<Listing<RuleView>>;
  /** Those made here, and those of the file beside them, in the order of their prefixes. */
  describe(asker: Asker, input: RegistryInput & PageInput): Promise<Listing<MadeRule>>;
  /** The same by their prefixes; one that is not there is an error. */
  describeNamed(
    asker: Asker,
    input: RegistryInput & { readonly prefixes: readonly string[] },
  ): Promise<readonly MadeRule[]>;
  create(asker: Asker, input: NewRule): Promise<ChangedRule>;
  update(asker: Asker, input: RuleChange): Promise<ChangedRule>;
  /** `restored`: whose rule of the same prefix is in force now. */
  delete(
    asker: Asker,
    input: RuleInput,
  ): Promise<MadeRule & { readonly restored: PullRule['origin'] | undefined }>;
  /** Reads the secret, and asks the upstream with it. What is wrong is no error, but the answer. */
  validate(
    asker: Asker,
    input: RuleInput,
    signal: AbortSignal,
  ): Promise<{ readonly rule: MadeRule; readonly validation: RuleValidation }>;
}

export interface RulesParts {
  readonly admission: Pick<Admission, 'requireInRegistry' | 'requireOfResource'>;
  readonly places: Places;
  readonly book: RuleBook;
  readonly secrets: SecretValues;
  readonly upstreams: () => ApiUpstreams;
  readonly registries: () => RegistrySettings;
  readonly metadata: Pick<Metadata, 'rules'>;
  readonly invalidations: Invalidations;
  readonly upstream: Upstream;
  readonly audit: Audit;
  readonly clock: Clock;
}

/** Rules are kept in memory, so there is an end to them. ECR's is 50. */
const rulesMax: Readonly<Record<ApiUpstreams, number>> = { strict: 50, public: 2000, any: 2000 };
const allMax = 20_000;
const validateMs = 20_000;

export function createRuleOperations(parts: RulesParts): RuleOperations {
  return { ...ruleReads(parts), ...ruleChanges(parts) };
}

function ruleReads(
  parts: RulesParts,
): Pick<RuleOperations, 'list' | 'describe' | 'describeNamed' | 'validate'> {
  const { places, book, upstream } = parts;
  const admitted = async (
    asker: Asker,
    input: RegistryInput,
    action: Action = actions.describeRules,
  ): Promise<RegistryKey> => {
    const registry = places.registry(input, asker);
    await parts.admission.requireInRegistry(asker, action, registry);
    return registry;
  };
  return {
    list: async (asker, { prefix, ...input }) => {
      const registry = await admitted(asker, input);
      const all = book.all(registry);
      if (prefix === undefined) return listing(all.map((each) => viewRule(each, upstream)));
      const named = all.filter(({ rule }) => rule.prefix === readPrefix(prefix));
      if (named.length === 0) throw noRule(registry, prefix);
      return listing(named.map((each) => viewRule(each, upstream)));
    },
    describe: async (asker, { limit, cursor, ...input }) => {
      const registry = await admitted(asker, input);
      const after = readCursor(cursor, 1)?.[0] ?? '';
      const found: BookedRule[] = [];
      for (const [prefix, each] of book.described(registry)) {
        if (prefix > after) found.push(each);
        if (found.length > limit) break;
      }
      return pageOf(found, limit, {
        view: (each) => viewMade(registry, each),
        keyOf: ({ rule }) => [rule.prefix],
      });
    },
    describeNamed: async (asker, { prefixes, ...input }) => {
      const registry = await admitted(asker, input);
      return prefixes.map((prefix) => viewMade(registry, requireRule(book, registry, prefix)));
    },
    validate: async (asker, { prefix, ...input }, signal) => {
      const registry = await admitted(asker, input, actions.validateRule);
      const found = requireRule(book, registry, prefix);
      const failure = await failureOf(parts, found.rule, signal);
      const validation = { prefix, valid: failure === undefined, failure: failure ?? null };
      return { rule: viewMade(registry, found), validation };
    },
  };
}

function ruleChanges(parts: RulesParts): Pick<RuleOperations, 'create' | 'update' | 'delete'> {
  const { admission, places, metadata, clock } = parts;
  return {
    create: async (asker, { account, region, settings = {}, ...given }) => {
      const registry = places.registry({ account, region }, asker);
      await admission.requireInRegistry(asker, actions.createRule, registry);
      const credentialArn = wholeArn(registry, given.credentialArn);
      const request = { ...given, credentialArn, settings };
      const meaning = readRuleRequest(request, parts.upstreams());
      await assertFree(parts, registry, given.prefix, meaning);
      await checkSecret(parts, asker, registry, credentialArn, meaning.kind !== undefined);
      const row = newRow(registry, request, meaning, clock.now());
      const most = rulesMax[parts.upstreams()];
      const made = await changing(parts, row, () =>
        metadata.rules.createPullRule({ rule: row, rulesMax: most, allMax }),
      );
      if (made === 'exists') throw ruleExists(given.prefix);
      if (made === 'limit') throw tooMany(most);
      await inForce(parts, asker, actions.createRule, row);
      return changedRule(parts, row);
    },
    update: async (asker, { prefix, ...input }) => {
      const registry = places.registry(input, asker);
      await admission.requireInRegistry(asker, actions.updateRule, registry);
      const key = { registry, prefix: readPrefix(prefix) };
      const before = await requireRow(parts, key, prefix);
      const change = await checkChange(parts, asker, before, input);
      const now = clock.now();
      const row = await changing(parts, key, () =>
        metadata.rules.updatePullRule({ ...key, id: before.id, change, now }),
      );
      if (row === undefined) throw noRule(registry, prefix);
      await inForce(parts, asker, actions.updateRule, row);
      return changedRule(parts, row);
    },
    delete: async (asker, { prefix, ...input }) => {
      const registry = places.registry(input, asker);
      await admission.requireInRegistry(asker, actions.deleteRule, registry);
      const key = { registry, prefix: readPrefix(prefix) };
      await onceRead('deleted', () => requireRow(parts, key, prefix));
      const row = await changing(parts, key, () => metadata.rules.deletePullRule(key));
      if (row === undefined) throw noRule(registry, prefix);
      await inForce(parts, asker, actions.deleteRule, row);
      const left = parts.book.all(registry).find(({ rule }) => rule.prefix === key.prefix);
      return { ...madeOf(row), restored: left?.rule.origin };
    },
  };
}

/** Runs a write and notes it, also where it is not known whether it was committed. */
async function changing<T>(
  { invalidations }: RulesParts,
  { registry, prefix }: PullRuleKey,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } finally {
    invalidations.note({ kind: 'rules', registry, prefix });
  }
}

/** Audits a change and waits until it is in force. */
async function inForce(
  { audit, book }: RulesParts,
  asker: Asker,
  action: Action,
  row: PullRuleRow,
): Promise<void> {
  const { registry, prefix: resource, upstreamUrl, credentialArn, roleArn, settings } = row;
  const detail = {
    upstream: upstreamUrl,
    ...(credentialArn === undefined ? {} : { credentialArn }),
    ...(roleArn === undefined ? {} : { roleArn }),
    ...(Object.keys(settings).length === 0
      ? {}
      : { settings: JSON.stringify(settings).slice(0, 1000) }),
  };
  audit.record(changeOf(asker, action, { registry, resource }, detail));
  await book.settled();
}

/** Throws where it was deleted meanwhile. */
function changedRule({ book, upstream }: RulesParts, row: PullRuleRow): ChangedRule {
  const booked = book.described(row.registry).get(row.prefix);
  if (booked?.row === undefined) throw noRule(row.registry, row.givenPrefix);
  return { rule: madeOf(row), view: viewRule(booked, upstream) };
}

function newRow(
  registry: RegistryKey,
  request: RuleRequest,
  meaning: RuleMeaning,
  now: number,
): PullRuleRow {
  return {
    registry,
    prefix: meaning.prefix,
    // No prefix has a capital, but for ROOT.
    id: `R-${randomUUID()}`,
    givenPrefix: request.prefix,
    upstreamUrl: request.upstreamUrl,
    upstreamRegistry: meaning.kind,
    upstreamPrefix: request.upstreamPrefix,
    credentialArn: request.credentialArn,
    roleArn: request.roleArn,
    settings: request.settings,
    holder: undefined,
    createdAt: now,
    updatedAt: now,
  };
}

/** A rule of the file keeps its prefix; an account that is not here has no registry. */
async function assertFree(
  { book, places }: RulesParts,
  registry: RegistryKey,
  prefix: string,
  meaning: RuleMeaning,
): Promise<void> {
  if (fileRule(book, registry, meaning.prefix) !== undefined)
    throw ruleError(
      'ruleExists',
      `A pull through cache rule with the prefix '${prefix}' already exists in the configuration file of this server, where its operator can change it`,
    );
  const { account } = registryOf(registry);
  if (account === registryOf(places.home).account || (await places.isThere(registry))) return;
  throw new RegistryError('nameUnknown', `there is no account ${account}`);
}

async function checkChange(
  parts: RulesParts,
  asker: Asker,
  before: PullRuleRow,
  { credentialArn: credential, roleArn, settings }: Omit<RuleChange, 'prefix'>,
): Promise<PullRuleChange> {
  if (
    parts.upstreams() === 'strict' &&
    credential === undefined &&
    roleArn === undefined &&
    settings === undefined
  )
    throw invalidRule('credential', '', 'say what to change: the credential or the role');
  const { registry } = before;
  const credentialArn = credential === null ? null : wholeArn(registry, credential);
  if (typeof credentialArn === 'string') {
    checkCredentialArn(credentialArn);
    const isKnown = before.upstreamRegistry !== undefined;
    await checkSecret(parts, asker, registry, credentialArn, isKnown);
  }
  if (typeof roleArn === 'string') checkRoleArn(roleArn);
  const set = Object.entries(settings ?? {}).filter(([, value]) => value !== null);
  checkRuleSettings(Object.fromEntries(set));
  return { credentialArn, roleArn, settings };
}

/** The row as it is written; of a rule of the file the error that says where it is. */
async function requireRow(
  { metadata, book }: RulesParts,
  key: PullRuleKey,
  prefix: string,
): Promise<PullRuleRow> {
  const row = await metadata.rules.findPullRule(key);
  if (row !== undefined) return row;
  if (fileRule(book, key.registry, key.prefix) === undefined) throw noRule(key.registry, prefix);
  throw ruleError(
    'ruleOfFile',
    `The rule with the prefix '${prefix}' stands in the configuration file of this server, where its operator can change it`,
  );
}

function fileRule(book: RuleBook, registry: RegistryKey, prefix: string): BookedRule | undefined {
  return book.all(registry).find(({ rule }) => rule.origin === 'file' && rule.prefix === prefix);
}

function requireRule(book: RuleBook, registry: RegistryKey, prefix: string): BookedRule {
  const wanted = readPrefix(prefix);
  const found = book.described(registry).get(wanted);
  if (found === undefined) throw noRule(registry, prefix);
  return found;
}

/** Why the upstream does not answer as it should; `undefined`: it does. */
async function failureOf(
  { upstream }: RulesParts,
  rule: PullRule,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (rule.blocked !== undefined) return rule.blocked;
  const [url] = rule.urls;
  if (url === undefined) return undefined;
  const deadline = AbortSignal.timeout(validateMs);
  try {
    await upstream.ping(rule, url, AbortSignal.any([signal, deadline]));
    return undefined;
  } catch (error) {
    const failure = explainFailure(error, deadline);
    if (failure === undefined) throw error;
    const isPrivate = failure.reason === 'addressRefused' && rule.reach === 'public';
    return isPrivate
      ? `${failure.message}: apiUpstreams: public admits public addresses alone`
      : failure.message;
  }
}

function noRule(registry: RegistryKey, prefix: string): RegistryError {
  return ruleError(
    'ruleUnknown',
    `The pull through cache rule with the prefix '${prefix.slice(0, 255)}' does not exist in the registry with id '${registryOf(registry).account}'`,
    { detail: { hint: 'breakwater rules ls shows the rules' } },
  );
}

function ruleExists(prefix: string): RegistryError {
  return ruleError(
    'ruleExists',
    `A pull through cache rule with the prefix '${prefix}' already exists in this registry`,
  );
}

function tooMany(most: number): RegistryError {
  return ruleError(
    'tooManyRules',
    `The operation did not succeed because it would have exceeded a service limit: a registry has at most ${most} pull through cache rules, and a server ${allMax}`,
  );
}
