import { registryOf } from '../../domain/names/registry.ts';
import { secretArn } from '../../domain/names/secret-arn.ts';
import type { Secret } from '../../domain/secrets/secret.ts';
import type { Operations } from '../../operations/operations.ts';
import type { SecretValue } from '../../operations/secrets/secret-values.ts';
import type { PageTokens } from '../aws/page-tokens.ts';
import type { AwsAsking, AwsRows } from '../aws/service-table.ts';
import { invalidParameter } from './errors.ts';
import type { SecretsOperations } from './model.ts';

/** What Secrets Manager's rows are made of. */
export interface SecretsServiceParts extends Pick<Operations, 'secrets'> {
  readonly pages: PageTokens;
}

export type SecretsRows = AwsRows<SecretsOperations>;

/** The secret that a call means, as operations take it: in the account of the caller, unless an ARN names another, and the region of its signature. */
export function secretOfCall(
  { account, region }: AwsAsking,
  { SecretId }: { readonly SecretId: string },
): { readonly account: string; readonly region: string; readonly secret: string } {
  return { account, region, secret: SecretId };
}

/** As answers name a secret: by its account, and the region as it was asked. */
export function namedInAnswer(
  { region }: AwsAsking,
  { registry, name, suffix }: Secret,
): { readonly ARN: string; readonly Name: string } {
  const { account } = registryOf(registry);
  return { ARN: secretArn({ account, region }, `${name}-${suffix}`), Name: name };
}

/** `undefined`: the call has none. */
export function valueOfCall({
  SecretString: text,
  SecretBinary: bytes,
}: {
  readonly SecretString?: string | undefined;
  readonly SecretBinary?: Uint8Array | undefined;
}): SecretValue | undefined {
  if (text !== undefined && bytes !== undefined)
    throw invalidParameter(
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  if (text !== undefined) return { text };
  return bytes === undefined ? undefined : { bytes };
}

/** Of the versions that have any: the others are deprecated. */
export function stagesInAnswer({
  versions,
}: Secret): Readonly<Record<string, readonly string[]>> | undefined {
  const staged = versions.filter(({ stages }) => stages.length > 0);
  return staged.length === 0
    ? undefined
    : Object.fromEntries(staged.map(({ id, stages }) => [id, stages]));
}
