import type { RegistrySettings } from '../../domain/names/registry.ts';
import { registryIn } from '../../domain/names/registry.ts';
import { parseSecretArn } from '../../domain/names/secret-arn.ts';
import { arnOfSecret, currentStage, versionOfStage } from '../../domain/secrets/secret.ts';
import type { Secret } from '../../domain/secrets/secret.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { FoundSecret, SecretValues } from '../../ports/secret-values.ts';
import { findByResource } from './located-secret.ts';
import type { SecretReading } from './located-secret.ts';
import { openValue } from './secret-values.ts';

interface StoredSecretsParts extends SecretReading {
  readonly registries: () => RegistrySettings;
}

/** The secrets that were made through an API, for the rules that name them. */
export function createStoredSecrets(parts: StoredSecretsParts): SecretValues {
  return {
    find: async (registry, text) => {
      const arn = parseSecretArn(text);
      if (arn === undefined || registryIn(parts.registries(), arn) !== registry)
        return { kind: 'notFound' };
      const secret = await findByResource(parts, registry, arn.resource);
      return secret === undefined ? { kind: 'notFound' } : await read(parts, secret);
    },
  };
}

async function read(parts: StoredSecretsParts, secret: Secret): Promise<FoundSecret> {
  const named = { secret: arnOfSecret(secret), policy: secret.policy };
  if (secret.deletion !== undefined) return { kind: 'deleted', ...named };
  const current = versionOfStage(secret, currentStage);
  if (current === undefined) return { kind: 'noValue', ...named };
  try {
    const value = await openValue(parts, secret, current.id);
    if (value === undefined || !('text' in value)) return { kind: 'noValue', ...named };
    return { kind: 'value', ...named, text: value.text };
  } catch (error) {
    if (error instanceof RegistryError && error.kind === 'secretUndecryptable')
      return { kind: 'undecryptable', ...named };
    throw error;
  }
}
