import type { Sealing } from '../access/secrets/key-store.ts';
import { openRuleBook } from '../cache/rules/rule-book.ts';
import type { RuleBook } from '../cache/rules/rule-book.ts';
import { accountInSecret } from '../config/account-in-secret.ts';
import type { Config } from '../config/config.ts';
import { errorText } from '../domain/error-text.ts';
import { homeRegistryOf } from '../domain/names/registry.ts';
import type { PullRule } from '../domain/rules/pull-rule.ts';
import type { Clock } from '../ports/clock.ts';
import { createStoredSecrets } from '../operations/secrets/stored-secrets.ts';
import type { SecretValues } from '../ports/secret-values.ts';
import { createFileSecrets } from '../operations/secrets/file-secrets.ts';
import type { FileSecrets } from '../operations/secrets/file-secrets.ts';
import type { Log } from '../telemetry/log.ts';
import type { Stores } from './stores.ts';

/** The rules of every registry of this server, and the secrets that they name. */
export interface ServerRules extends Disposable {
  readonly book: RuleBook;
  readonly secrets: SecretValues;
  /** Those of `secretsFile` alone. */
  readonly fileSecrets: FileSecrets;
}

export interface ServerRulesParts extends Pick<Stores, 'metadata' | 'invalidations'> {
  readonly sealing: Sealing;
  readonly clock: Clock;
  readonly log: Log;
  /** Other rules are in force than before. */
  readonly onChange: () => void;
}

/** Tells the log once of each rule of the file whose secret can't be had, and once more when it can. */
function tellMissingSecrets(log: Log): (rules: readonly PullRule[]) => void {
  let told: ReadonlyMap<string, string> = new Map();
  return (rules) => {
    const now = new Map<string, string>();
    for (const { prefix, secret, blocked } of rules)
      if (secret !== undefined && blocked !== undefined) now.set(prefix, blocked);
    for (const [prefix, problem] of now)
      if (told.get(prefix) !== problem)
        log.warn(`the upstream of ${prefix} is not asked: ${problem}`, { logger: 'rules', prefix });
    for (const { prefix } of rules)
      if (told.has(prefix) && !now.has(prefix))
        log.info(`the secret of ${prefix} is there: its upstream is asked`, {
          logger: 'rules',
          prefix,
        });
    told = now;
  };
}

export async function openServerRules(
  config: () => Config,
  { metadata, invalidations, sealing, clock, log, onChange }: ServerRulesParts,
): Promise<ServerRules> {
  const home = homeRegistryOf(config());
  const inFile = createFileSecrets({
    home,
    secrets: () => config().secrets,
    file: () => config().secretsFile,
  });
  const stored = createStoredSecrets({ metadata, sealing, clock, registries: config });
  const secrets: SecretValues = {
    find: async (registry, arn) => {
      const found = await inFile.find(registry, arn);
      return found.kind === 'notFound' ? stored.find(registry, arn) : found;
    },
  };
  const tell = tellMissingSecrets(log);
  const fileRules = (): readonly PullRule[] => book.all(home).map(({ rule }) => rule);
  const book = await openRuleBook({
    metadata,
    invalidations,
    clock,
    home,
    configured: () => config().rules,
    upstreams: () => config().apiUpstreams,
    secrets,
    accountInSecret,
    onChange: () => {
      tell(fileRules());
      onChange();
    },
    onFailure: (error) =>
      log.error('rules could not be read', { logger: 'rules', error: errorText(error) }),
  });
  tell(fileRules());
  return { book, secrets, fileSecrets: inFile, [Symbol.dispose]: () => book[Symbol.dispose]() };
}
