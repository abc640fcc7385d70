import { parseJsonObject } from '../../domain/json.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { NamedSecret, PullRule } from '../../domain/rules/pull-rule.ts';
import type { RepositoryMetadata } from '../../metadata/contract/metadata.ts';
import type { CredentialHolder } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CredentialParts, RuleCredential } from './rule-credentials.ts';
import {
  holderOf,
  isSameCredential,
  isSameHolder,
  readNamedCredential,
} from './rule-credentials.ts';

export interface ConfiguredRulesParts extends CredentialParts {
  readonly metadata: {
    readonly repositories: Pick<RepositoryMetadata, 'findRegistrySetting' | 'setRegistrySetting'>;
  };
  readonly clock: Clock;
  readonly home: RegistryKey;
  readonly configured: () => readonly PullRule[];
  readonly onFailure: (error: unknown) => void;
}

interface Known {
  readonly credential: RuleCredential;
  /** Of the rule that shows it: what upstream was heard to say to another one counts no longer. */
  readonly revision: number;
}

/** The rules of the configuration, with the credentials that are read from an API's secrets. */
export class ConfiguredRules {
  readonly #parts: ConfiguredRulesParts;
  /** By the rule's prefix and the secret's name. */
  #known: ReadonlyMap<string, Known> = new Map();
  readonly #made = new WeakMap<PullRule, { readonly of: Known; readonly rule: PullRule }>();
  #revision = 0;

  constructor(parts: ConfiguredRulesParts) {
    this.#parts = parts;
  }

  /** As far as they were read: another one's upstream is not asked. */
  get rules(): readonly PullRule[] {
    return this.#parts
      .configured()
      .map((rule) => (rule.secret === undefined ? rule : this.#withSecret(rule, rule.secret)));
  }

  /** Whether a rule in force would be blocked only because its secret was not read yet. */
  get isRead(): boolean {
    return this.#parts
      .configured()
      .every(
        ({ prefix, secret }) => secret === undefined || this.#known.has(keyOf(prefix, secret)),
      );
  }

  /** Reads the secrets anew; false where they say what they said before. */
  async read(): Promise<boolean> {
    const known = new Map<string, Known>();
    let changed = false;
    for (const { prefix, secret } of this.#parts.configured()) {
      if (secret === undefined) continue;
      const key = keyOf(prefix, secret);
      const before = this.#known.get(key);
      const now = await this.#readOne(prefix, secret, before);
      known.set(key, now);
      changed ||= now !== before;
    }
    this.#known = known;
    return changed;
  }

  async #readOne(prefix: string, secret: NamedSecret, before: Known | undefined): Promise<Known> {
    const { home } = this.#parts;
    const kept = before && holderOf(before.credential);
    const holder = kept ?? (await this.#findHolder(prefix, secret));
    const credential = await readNamedCredential(this.#parts, home, secret, holder);
    if (before !== undefined && isSameCredential(before.credential, credential)) return before;
    await this.#keepHolder(prefix, holder, credential);
    this.#revision += 1;
    return { credential, revision: this.#revision };
  }

  /** Whose the secret was when it could be read last, before a restart too: then its content is still the rule's. */
  async #findHolder(prefix: string, { name }: NamedSecret): Promise<CredentialHolder | undefined> {
    const { metadata, home } = this.#parts;
    const text = await metadata.repositories.findRegistrySetting(home, settingOf(prefix));
    const { secret, username, account } = parseJsonObject(text ?? '') ?? {};
    if (secret !== name || typeof username !== 'string') return undefined;
    return { secret: name, username, account: typeof account === 'string' ? account : undefined };
  }

  async #keepHolder(
    prefix: string,
    before: CredentialHolder | undefined,
    credential: RuleCredential,
  ): Promise<void> {
    const { metadata, home: registry, clock } = this.#parts;
    const holder = holderOf(credential);
    if (holder === undefined || isSameHolder(holder, before)) return;
    const setting = { registry, name: settingOf(prefix), value: JSON.stringify(holder) };
    // The rule is in force all the same; it is written with the next change.
    await metadata.repositories
      .setRegistrySetting({ ...setting, now: clock.now() })
      .catch(this.#parts.onFailure);
  }

  #withSecret(rule: PullRule, secret: NamedSecret): PullRule {
    const known = this.#known.get(keyOf(rule.prefix, secret));
    if (known === undefined) return rule;
    const made = this.#made.get(rule);
    if (made?.of === known) return made.rule;
    const { blocked: _unread, ...rest } = rule;
    const { credential, problem } = known.credential;
    const { revision } = known;
    const blocked = problem === undefined ? {} : { blocked: problem };
    const shown: PullRule = { ...rest, credential, revision, ...blocked };
    this.#made.set(rule, { of: known, rule: shown });
    return shown;
  }
}

function keyOf(prefix: string, { name }: NamedSecret): string {
  return JSON.stringify([prefix, name]);
}

function settingOf(prefix: string): string {
  return `credentialHolder/${prefix}`;
}
