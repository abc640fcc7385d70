import type { Registry } from './registry.ts';

/** What the ARN of a secret says, which need not be there. */
export interface SecretArn extends Registry {
  /** The name, and perhaps six characters behind it that Secrets Manager adds to each: which of them, only the secrets can say. */
  readonly resource: string;
}

const pattern =
  /^arn:aws(?:-\w+)*:secretsmanager:([a-z0-9-]+):(\d{12}):secret:([A-Za-z0-9/_+=.@-]{1,519})$/;

/** `undefined` for what is no ARN of a secret. */
export function parseSecretArn(text: string): SecretArn | undefined {
  const [, region, account, resource] = pattern.exec(text) ?? [];
  if (region === undefined || account === undefined || resource === undefined) return undefined;
  return { region, account, resource };
}

export function secretArn({ region, account }: Registry, resource: string): string {
  return `arn:aws:secretsmanager:${region}:${account}:secret:${resource}`;
}

/** Names under which the resource of an ARN may be found, the likelier first: `hub` and, where it ends so, what `hub-AbCdEf` is of. */
export function namesInResource(resource: string): readonly string[] {
  const bare = /^(.+)-[A-Za-z0-9]{6}$/.exec(resource)?.[1];
  return bare === undefined ? [resource] : [resource, bare];
}
