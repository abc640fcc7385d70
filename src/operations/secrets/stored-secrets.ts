import type { RegistryKey, RegistrySettings } from '../../domain/names/registry.ts';
import { registryIn, registryOf } from '../../domain/names/registry.ts';
import { namesInResource, parseSecretArn, secretArn } from '../../domain/names/secret-arn.ts';
import { currentStage, isGone, versionOfStage } from '../../domain/secrets/secret.ts';
import type { Secret } from '../../domain/secrets/secret.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { FoundSecret, SecretValues } from '../../ports/secret-values.ts';
import { openValue } from './secret-values.ts';
import type { SecretsParts } from './located-secret.ts';

type StoredSecretsParts = Pick<SecretsParts, 'metadata' | 'sealing' | 'clock'> & {
  readonly registries: () => RegistrySettings;
};

/** The secrets that were made through an API, for the rules that name them. */
export function createStoredSecrets(parts: StoredSecretsParts): SecretValues {
  return {
    find: async (registry, text) => {
      const arn = parseSecretArn(text);
      if (arn === undefined || registryIn(parts.registries(), arn) !== registry)
        return { kind: 'notFound' };
      for (const name of namesInResource(arn.resource)) {
        const secret = await parts.metadata.secrets.findSecret({ registry, name });
        if (secret === undefined || isGone(secret, parts.clock.now())) continue;
        if (arn.resource === name || arn.resource === `${name}-${secret.suffix}`)
          return await read(parts, registry, secret);
      }
      return { kind: 'notFound' };
    },
  };
}

async function read(
  parts: StoredSecretsParts,
  registry: RegistryKey,
  secret: Secret,
): Promise<FoundSecret> {
  if (secret.deletion !== undefined) return { kind: 'deleted' };
  const current = versionOfStage(secret, currentStage);
  if (current === undefined) return { kind: 'noValue' };
  try {
    const value = await openValue(parts, secret, current.id);
    if (value === undefined || !('text' in value)) return { kind: 'noValue' };
    const arn = secretArn(registryOf(registry), `${secret.name}-${secret.suffix}`);
    return { kind: 'value', secret: arn, text: value.text };
  } catch (error) {
    if (error instanceof RegistryError && error.kind === 'secretUndecryptable')
      return { kind: 'undecryptable' };
    throw error;
  }
}
