/** A policy that stands for itself, by its account and name; names are unique among an account's, whatever their paths. */
export interface ManagedPolicyKey {
  readonly account: string;
  readonly name: string;
}

/** AWS's own, whose ARN has this in the place of an account. */
export const awsAccount = 'aws';

export interface ManagedPolicyName extends ManagedPolicyKey {
  /** `/`, or names between slashes. */
  readonly path: string;
}

/** Of one policy at a time (IAM, "quotas"). */
export const policyVersionsMax = 5;
/** Of one principal. */
export const attachmentsMax = 10;
/** Of one account. */
export const managedPoliciesMax = 1500;
/** Of a managed policy's text, white space not counted. */
export const managedPolicyCharactersMax = 6144;

const policyArn = /^arn:aws:iam::(aws|\d{12}):policy(\/(?:[\w.,+@=-]+\/)*)([\w+=,.@-]{1,128})$/;

/** `undefined`: it is no ARN of a managed policy. */
export function parseManagedPolicyArn(arn: string): ManagedPolicyName | undefined {
  // Whatever its path: 512 characters, before which the pattern is not tried.
  if (arn.length > 700) return undefined;
  const [, account = '', path = '', name = ''] = policyArn.exec(arn) ?? [];
  return name === '' ? undefined : { account, path, name };
}

export function managedPolicyArn({ account, path, name }: ManagedPolicyName): string {
  return `arn:aws:iam::${account}:policy${path}${name}`;
}

/** As IAM counts a text. */
export function policyCharacters(text: string): number {
  return text.replaceAll(/\s/g, '').length;
}

/** The number in `v3`; `undefined`: there can be no such version. */
export function parseVersionId(id: string): number | undefined {
  const [, digits] = /^v([1-9]\d{0,8})$/.exec(id) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

export function versionId(version: number): string {
  return `v${version}`;
}
