import type { Credential } from '../../domain/rules/pull-rule.ts';
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
  undecryptable: 'the secret cannot be decrypted: the key that sealed it is not in dataDir/keys',
};

export async function readRuleCredential(
  { secrets, accountInSecret }: CredentialParts,
  { registry, credentialArn, holder }: Pick<PullRuleRow, 'registry' | 'credentialArn' | 'holder'>,
): Promise<RuleCredential> {
  if (credentialArn === undefined) return { credential: undefined, problem: undefined };
  const found = await secrets.find(registry, credentialArn);
  if (found.kind !== 'value')
    return { credential: withoutToken(credentialArn, holder), problem: problems[found.kind] };
  const login = readUpstreamSecret(found.text);
  if ('problem' in login)
    return { credential: withoutToken(credentialArn, holder), problem: login.problem };
  const account = accountInSecret(login.username, login.accessToken);
  return {
    credential: { name: found.secret, ...login, ...(account === undefined ? {} : { account }) },
    problem: undefined,
  };
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

function withoutToken(arn: string, holder: CredentialHolder | undefined): Credential {
  const account = holder?.account;
  return {
    name: holder?.secret ?? arn,
    username: holder?.username ?? '',
    accessToken: '',
    ...(account === undefined ? {} : { account }),
  };
}
