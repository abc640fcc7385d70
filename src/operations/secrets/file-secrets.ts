import { createHash } from 'node:crypto';
import { registryOf } from '../../domain/names/registry.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { namesInResource, parseSecretArn } from '../../domain/names/secret-arn.ts';
import type { Credential } from '../../domain/rules/pull-rule.ts';
import { arnOfSecret, currentStage } from '../../domain/secrets/secret.ts';
import type { Secret } from '../../domain/secrets/secret.ts';
import type { SecretValues } from '../../ports/secret-values.ts';

export interface FileSecretsParts {
  readonly home: RegistryKey;
  /** Of `secretsFile` as it is in force, by their names. */
  readonly secrets: () => ReadonlyMap<string, Credential>;
  /** The file as its operator wrote it, and when it was changed last, wall ms; `undefined`: there is none. */
  readonly file: () => { readonly path: string; readonly changedAt: number } | undefined;
}

/** A secret of the file as an API shows it; `text` is the value of its only version. Never logged. */
export interface FileSecret {
  readonly secret: Secret;
  readonly text: string;
}

/**
 * The secrets of `secretsFile`, which are the home registry's. Their regions are not looked at: an unnamed one is home. Nothing changes
 * them but the file. They come before stored ones of their names, which are still found by their whole ARNs.
 */
export interface FileSecrets extends SecretValues {
  all(registry: RegistryKey): readonly Secret[];
  /** By the name, or by the name with the six characters behind it. */
  named(registry: RegistryKey, resource: string): FileSecret | undefined;
  /** For whoever is told that a secret stands there. */
  readonly fileName: string;
}

export function createFileSecrets({ home, secrets, file }: FileSecretsParts): FileSecrets {
  const { account } = registryOf(home);
  const view = (name: string): Secret => secretOf(home, name, file()?.changedAt ?? 0);
  const named = (registry: RegistryKey, resource: string): FileSecret | undefined => {
    if (registry !== home) return undefined;
    for (const name of namesInResource(resource)) {
      const found = secrets().get(name);
      if (found === undefined || !isNamed(resource, name)) continue;
      const { username, accessToken } = found;
      return { secret: view(name), text: JSON.stringify({ username, accessToken }) };
    }
    return undefined;
  };
  return {
    named,
    all: (registry) => (registry === home ? [...secrets().keys()].map(view) : []),
    get fileName() {
      return file()?.path ?? '';
    },
    find: async (registry, text) => {
      const arn = parseSecretArn(text);
      const found = arn?.account === account ? named(registry, arn.resource) : undefined;
      if (found === undefined) return { kind: 'notFound' };
      return { kind: 'value', secret: arnOfSecret(found.secret), text: found.text };
    },
  };
}

/** Always of the same ARN for the same name; the version's id changes with the file, and says nothing of the value. */
function secretOf(registry: RegistryKey, name: string, changedAt: number): Secret {
  const id = createHash('sha256').update(`${name} ${changedAt}`).digest('hex').slice(0, 32);
  return {
    registry,
    name,
    suffix: suffixOf(name),
    tags: [],
    token: id,
    createdAt: changedAt,
    changedAt,
    versions: [{ id, stages: [currentStage], createdAt: changedAt }],
  };
}

/** Six letters and digits, as Secrets Manager ends its ARNs. */
function suffixOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 6);
}

function isNamed(resource: string, name: string): boolean {
  return resource === name || resource === `${name}-${suffixOf(name)}`;
}
