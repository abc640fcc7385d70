import type { RegistryKey } from '../../domain/names/registry.ts';
import { registryOf } from '../../domain/names/registry.ts';
import { secretArn } from '../../domain/names/secret-arn.ts';
import type { Credential, NamedSecret } from '../../domain/rules/pull-rule.ts';
import { readUpstreamSecret } from '../../domain/rules/upstream-secret.ts';
import type { CredentialHolder, PullRuleRow } from '../../metadata/contract/rows.ts';
import type { FoundSecret, SecretValues } from '../../ports/secret-values.ts';

/** What a rule shows to its upstream now. */
export interface RuleCredential {
  /** Absent: the rule names no secret. Without a token where the secret can't be had: then it is the one that was had last. */
  readonly credential: Credential | undefined;
  /** Why it can't be had, for whoever owns the rule; no part of the secret. */
  readonly problem: string | undefined;
}

/** Tells apart whose a token is where its user name does not say so; `undefined` where it does. */
export type AccountInSecret = (username: string, accessToken: string) => string | undefined;

export interface CredentialParts {
  readonly secrets: SecretValues;
  readonly accountInSecret: AccountInSecret;
}

const problems: Readonly<Record<Exclude<FoundSecret['kind'], 'value'>, string>> = {
  notFound: 'the secret that credentialArn names is not there',
  noValue: 'the secret has no value yet: put one as {"username": "…", "accessToken": "…"}',
  deleted: 'the secret is scheduled for deletion: restore it, or name another one',
  undecryptable:
    'the secret cannot be decrypted: the key that sealed it is not in keys.from of the server',
};

export async function readRuleCredential(
  { secrets, accountInSecret }: CredentialParts,
  { registry, credentialArn, holder }: Pick<PullRuleRow, 'registry' | 'credentialArn' | 'holder'>,
): Promise<RuleCredential> {
  if (credentialArn === undefined) return { credential: undefined, problem: undefined };
  const found = await secrets.find(registry, credentialArn);
  if (found.kind !== 'value')
    return { credential: withoutToken(credentialArn, holder), problem: problems[found.kind] };
  const read = credentialOf(found.secret, found.text, accountInSecret);
  return 'problem' in read
    ? { credential: withoutToken(credentialArn, holder), problem: read.problem }
    : { credential: read, problem: undefined };
}

/**
 * Of a rule of the configuration file, whose secret is one of the home registry by its name. The credential keeps that name, as one of
 * `secretsFile` has it: content stays the rule's when the secret moves from the file to the API.
 */
export async function readNamedCredential(
  { secrets, accountInSecret }: CredentialParts,
  home: RegistryKey,
  { name, at }: NamedSecret,
  holder: CredentialHolder | undefined,
): Promise<RuleCredential> {
  const found = await secrets.find(home, secretArn(registryOf(home), name));
  const read =
    found.kind === 'value' ? credentialOf(name, found.text, accountInSecret) : missing(found, name);
  if (!('problem' in read)) return { credential: read, problem: undefined };
  return { credential: withoutToken(name, holder), problem: `${at}: ${name}: ${read.problem}` };
}

function missing(
  { kind }: { readonly kind: keyof typeof problems },
  name: string,
): { readonly problem: string } {
  if (kind !== 'notFound') return { problem: problems[kind] };
  return {
    problem: `no such secret: write it into secretsFile, or make it with aws secretsmanager create-secret --name ${name} --secret-string '{"username": "…", "accessToken": "…"}'`,
  };
}

function credentialOf(
  name: string,
  text: string,
  accountInSecret: AccountInSecret,
): Credential | { readonly problem: string } {
  const login = readUpstreamSecret(text);
  if ('problem' in login) return login;
  const account = accountInSecret(login.username, login.accessToken);
  return { name, ...login, ...(account === undefined ? {} : { account }) };
}

/** Whose it is, to be kept for when it can't be read; `undefined` where it isn't known now. */
export function holderOf({ credential, problem }: RuleCredential): CredentialHolder | undefined {
  if (credential === undefined || problem !== undefined) return undefined;
  const { name: secret, username, account } = credential;
  return { secret, username, account };
}

export function isSameHolder(
  one: CredentialHolder | undefined,
  other: CredentialHolder | undefined,
): boolean {
  return (
    one?.secret === other?.secret &&
    one?.username === other?.username &&
    one?.account === other?.account
  );
}

export function isSameCredential(one: RuleCredential, other: RuleCredential): boolean {
  return (
    one.problem === other.problem &&
    one.credential?.name === other.credential?.name &&
    one.credential?.username === other.credential?.username &&
    one.credential?.accessToken === other.credential?.accessToken
  );
}

function withoutToken(name: string, holder: CredentialHolder | undefined): Credential {
  const account = holder?.account;
  return {
    name: holder?.secret ?? name,
    username: holder?.username ?? '',
    accessToken: '',
    ...(account === undefined ? {} : { account }),
  };
}
