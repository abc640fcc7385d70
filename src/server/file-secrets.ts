import { createHash } from 'node:crypto';
import { registryOf } from '../domain/names/registry.ts';
import type { RegistryKey } from '../domain/names/registry.ts';
import { namesInResource, parseSecretArn, secretArn } from '../domain/names/secret-arn.ts';
import type { Credential } from '../domain/rules/pull-rule.ts';
import type { SecretValues } from '../ports/secret-values.ts';

export interface FileSecretsParts {
  readonly home: RegistryKey;
  /** Of `secretsFile` as it is in force, by their names. */
  readonly secrets: () => ReadonlyMap<string, Credential>;
}

/** The secrets of `secretsFile`, which are the home registry's, by ARN. Their regions are not looked at: an unnamed one is home. */
export function createFileSecrets({ home, secrets }: FileSecretsParts): SecretValues {
  const { account } = registryOf(home);
  return {
    find: async (registry, text) => {
      const arn = parseSecretArn(text);
      if (arn === undefined || registry !== home || arn.account !== account)
        return { kind: 'notFound' };
      for (const name of namesInResource(arn.resource)) {
        const found = secrets().get(name);
        if (found === undefined || !isNamed(arn.resource, name)) continue;
        const { username, accessToken } = found;
        return {
          kind: 'value',
          secret: fileSecretArn(home, name),
          text: JSON.stringify({ username, accessToken }),
        };
      }
      return { kind: 'notFound' };
    },
  };
}

/** The ARN of an entry of `secretsFile`: always the same for the same name. */
function fileSecretArn(home: RegistryKey, name: string): string {
  return secretArn(registryOf(home), `${name}-${suffixOf(name)}`);
}

/** Six letters and digits, as Secrets Manager ends its ARNs. */
function suffixOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 6);
}

function isNamed(resource: string, name: string): boolean {
  return resource === name || resource === `${name}-${suffixOf(name)}`;
}
