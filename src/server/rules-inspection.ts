import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readKeys } from '../access/secrets/key-store.ts';
import { open } from '../access/secrets/sealing.ts';
import { readNamedCredential, readRuleCredential } from '../cache/rules/rule-credentials.ts';
import type { CredentialParts } from '../cache/rules/rule-credentials.ts';
import { accountInSecret } from '../config/account-in-secret.ts';
import type { Config } from '../config/config.ts';
import { systemClock } from '../coordination/system-clock.ts';
import { homeRegistryOf } from '../domain/names/registry.ts';
import type { RegistryKey } from '../domain/names/registry.ts';
import { RegistryError } from '../domain/errors.ts';
import { ruleOfApi } from '../domain/rules/api-rule.ts';
import type { PullRule } from '../domain/rules/pull-rule.ts';
import { rankRules, rulesInForce } from '../domain/rules/rules-in-force.ts';
import { pullRuleOf } from '../metadata/rows/pull-rule-row.ts';
import { secretOf } from '../metadata/rows/secret-row.ts';
import type { SecretReading } from '../operations/secrets/located-secret.ts';
import { createStoredSecrets } from '../operations/secrets/stored-secrets.ts';

/** Of the rules that were made through an API this many are asked about, the oldest first. */
const madeMax = 100;

export interface ServedRules {
  /** Home's, as the server has them in force, each with the credential that it shows; what can't be read leaves a rule blocked, and says why. */
  readonly rules: readonly PullRule[];
  /** Rules of home that were made through an API, and are more than a look is worth, or can't be read by this version. */
  readonly unread: number;
}

/** The rules of the configuration, and those that the database beside it holds. Works beside a running server. */
export async function readServedRules(
  config: Config,
  env: NodeJS.ProcessEnv,
): Promise<ServedRules> {
  const file = join(config.dataDir, 'metadata.sqlite');
  if (!existsSync(file)) return { rules: config.rules, unread: 0 };
  using database = new DatabaseSync(file, { readOnly: true });
  const parts = await credentialParts(database, config, env);
  const home = homeRegistryOf(config);
  const configured =
    parts === undefined
      ? config.rules
      : await Promise.all(config.rules.map((rule) => withNamedSecret(rule, parts, home)));
  const { made, unread } = await readMadeRules(database, config, home, parts);
  return { rules: rulesInForce(rankRules(configured, made)), unread };
}

async function withNamedSecret(
  { blocked, ...rule }: PullRule,
  parts: CredentialParts,
  home: RegistryKey,
): Promise<PullRule> {
  if (rule.secret === undefined) return blocked === undefined ? rule : { ...rule, blocked };
  const { credential, problem } = await readNamedCredential(parts, home, rule.secret, undefined);
  return { ...rule, credential, ...(problem === undefined ? {} : { blocked: problem }) };
}

/** Of a database of any version: one that has no rules yet has no such table. */
async function readMadeRules(
  database: DatabaseSync,
  { apiUpstreams }: Config,
  home: RegistryKey,
  parts: CredentialParts | undefined,
): Promise<{ readonly made: readonly PullRule[]; readonly unread: number }> {
  if (parts === undefined || !hasTable(database, 'pull_rules')) return { made: [], unread: 0 };
  const rows = database
    .prepare('select * from pull_rules where registry = ? order by created_at, prefix limit ?')
    .all(home, madeMax) as unknown as Parameters<typeof pullRuleOf>[0][];
  const counted = database
    .prepare('select count(*) as n from pull_rules where registry = ?')
    .get(home) as { readonly n: number };
  const made = await Promise.all(
    rows.map(async (stored) => {
      const row = pullRuleOf(stored);
      const { credential, problem } = await readRuleCredential(parts, row);
      const asked = { ...row, prefix: row.givenPrefix, revision: 0 };
      try {
        return ruleOfApi({ ...asked, credential, credentialProblem: problem }, apiUpstreams);
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        return undefined;
      }
    }),
  );
  const read = made.filter((rule) => rule !== undefined);
  return { made: read, unread: counted.n - read.length };
}

/** `undefined` of a database from before secrets, which the next start brings up to date. */
async function credentialParts(
  database: DatabaseSync,
  config: Config,
  env: NodeJS.ProcessEnv,
): Promise<CredentialParts | undefined> {
  if (!hasTable(database, 'secret_values')) return undefined;
  const { dataDir, keys: settings } = config;
  const masters = await readKeys(dataDir, systemClock, { settings, env }).catch(() => undefined);
  const keys = new Map(masters?.master.map((key) => [key.id, key]));
  const secrets = createStoredSecrets({
    metadata: { secrets: readsOf(database) },
    sealing: { open: (sealed, owner) => open(sealed, owner, keys) },
    clock: systemClock,
    registries: () => config,
  });
  return { secrets, accountInSecret };
}

export function hasTable(database: DatabaseSync, name: string): boolean {
  const found = database.prepare("select 1 from sqlite_schema where type = 'table' and name = ?");
  return found.get(name) !== undefined;
}

function readsOf(database: DatabaseSync): SecretReading['metadata']['secrets'] {
  const secret = database.prepare(
    'select suffix, state from secrets where registry = ? and name = ?',
  );
  const value = database.prepare(
    'select sealed from secret_values where registry = ? and name = ? and version = ?',
  );
  return {
    findSecret: async ({ registry, name }) => {
      const row = secret.get(registry, name) as { suffix: string; state: string } | undefined;
      return row && secretOf({ registry, name, ...row });
    },
    findSecretValue: async ({ registry, name, version }) =>
      (value.get(registry, name, version) as { sealed: string } | undefined)?.sealed,
  };
}
