import type { Asker } from '../../access/access.ts';
import { RegistryError } from '../../domain/errors.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { dayOf, markedForDeletion } from '../../domain/secrets/secret-change.ts';
import { arnOfSecret, currentStage, versionOfStage } from '../../domain/secrets/secret.ts';
import type { Secret, SecretVersion } from '../../domain/secrets/secret.ts';
import {
  admitted,
  change,
  changeable,
  newVersionId,
  ownerOfValue,
  present,
  secretInputInvalid,
  secretProblem,
  secretUnknown,
} from './located-secret.ts';
import type { SecretInput, SecretReading, SecretsParts } from './located-secret.ts';

/** What a version holds: a text, or bytes. */
export type SecretValue = { readonly text: string } | { readonly bytes: Uint8Array };

export interface VersionOfSecret {
  readonly secret: Secret;
  readonly version: SecretVersion;
}

interface NewValue {
  readonly value: SecretValue | undefined;
  /** Also the id of its version; absent: the request is none that is repeated. */
  readonly token?: string | undefined;
}

/** Values of secrets. Each throws `RegistryError`. */
export interface SecretValueOperations {
  /** A repeat, with the same token and the same value, changes nothing. Without stages it is the current one. */
  put(
    asker: Asker,
    input: SecretInput & NewValue & { readonly stages?: readonly string[] | undefined },
  ): Promise<VersionOfSecret>;
  /** `undefined` members are left as they are; `version` of the answer is that of the value, where there is one. */
  update(
    asker: Asker,
    input: SecretInput &
      NewValue & {
        readonly description?: string | undefined;
        readonly kmsKey?: string | undefined;
        readonly type?: string | undefined;
      },
  ): Promise<{ readonly secret: Secret; readonly version: SecretVersion | undefined }>;
  /** By version, by stage, or both; neither: the current one. */
  value(
    asker: Asker,
    input: SecretInput & {
      readonly version?: string | undefined;
      readonly stage?: string | undefined;
    },
  ): Promise<VersionOfSecret & { readonly value: SecretValue }>;
  moveStage(
    asker: Asker,
    input: SecretInput & {
      readonly stage: string;
      readonly from?: string | undefined;
      readonly to?: string | undefined;
    },
  ): Promise<Secret>;
}

export function createSecretValues(parts: SecretsParts): SecretValueOperations {
  return {
    put: async (asker, { stages = [currentStage], ...input }) => {
      const action = actions.putSecret;
      const secret = changeable(parts, await admitted(parts, asker, action, input));
      if (input.value === undefined)
        throw secretInputInvalid('You must provide either SecretString or SecretBinary.');
      const added = await addVersion(parts, secret, input, (version, sealed) =>
        change(parts, asker, secret, {
          action,
          change: { kind: 'put', version, stages },
          sealed,
          detail: { versionId: version },
        }),
      );
      return added;
    },
    update: async (asker, { description, kmsKey, type, ...input }) => {
      const action = actions.updateSecret;
      const secret = changeable(parts, await admitted(parts, asker, action, input));
      const described = { kind: 'update', description, kmsKey, type } as const;
      if (input.value === undefined) {
        const changed = await change(parts, asker, secret, { action, change: described });
        return { secret: changed, version: undefined };
      }
      return addVersion(parts, secret, input, (version, sealed) =>
        change(parts, asker, secret, {
          action,
          change: { ...described, version },
          sealed,
          detail: { versionId: version },
        }),
      );
    },
    value: async (asker, { version: id, stage, ...input }) => {
      const located = await admitted(parts, asker, actions.readSecret, input);
      const secret = present(located);
      if (secret.deletion !== undefined) throw secretProblem(markedForDeletion);
      const version = wantedVersion(secret, id, stage);
      if (located.text !== undefined) return { secret, version, value: { text: located.text } };
      const value = await openValue(parts, secret, version.id);
      if (value === undefined)
        throw secretUnknown(
          `Secrets Manager can't find the specified secret value for VersionId: ${version.id}`,
        );
      await noteRead(parts, secret, version);
      return { secret, version, value };
    },
    moveStage: async (asker, { stage, from, to, ...input }) => {
      const action = actions.moveSecretStage;
      const secret = changeable(parts, await admitted(parts, asker, action, input));
      return change(parts, asker, secret, {
        action,
        change: { kind: 'moveStage', stage, from, to },
        detail: { stage, from: from ?? '', to: to ?? '' },
      });
    },
  };
}

function wantedVersion(
  secret: Secret,
  id: string | undefined,
  stage: string | undefined,
): SecretVersion {
  const found =
    id === undefined
      ? versionOfStage(secret, stage ?? currentStage)
      : secret.versions.find((each) => each.id === id);
  if (found === undefined)
    throw secretUnknown(
      id === undefined
        ? `Secrets Manager can't find the specified secret value for staging label: ${stage ?? currentStage}`
        : `Secrets Manager can't find the specified secret value for VersionId: ${id}`,
    );
  if (id !== undefined && stage !== undefined && !found.stages.includes(stage))
    throw new RegistryError(
      'conflict',
      'You provided a VersionStage that is not associated to the provided VersionId.',
      { kind: 'secretRequestInvalid' },
    );
  return found;
}

/** A version of that id already: the same value is a repeat of the request, another one is refused. */
async function addVersion(
  parts: SecretsParts,
  secret: Secret,
  { value, token }: NewValue,
  write: (version: string, sealed: string) => Promise<Secret>,
): Promise<VersionOfSecret> {
  const id = token ?? newVersionId();
  const sealed = sealValue(parts, secret, id, value);
  const there = secret.versions.find((each) => each.id === id);
  if (there !== undefined && secret.deletion === undefined)
    return repeated(parts, secret, there, value);
  try {
    const changed = await write(id, sealed);
    return { secret: changed, version: versionIn(changed, id) };
  } catch (error) {
    if (!(error instanceof RegistryError) || error.kind !== 'secretVersionExists') throw error;
    // A repeat beside this one was first.
    const now = await parts.metadata.secrets.findSecret(secret);
    const first = now?.versions.find((each) => each.id === id);
    if (now === undefined || first === undefined) throw error;
    return repeated(parts, now, first, value);
  }
}

async function repeated(
  parts: SecretsParts,
  secret: Secret,
  version: SecretVersion,
  value: SecretValue | undefined,
): Promise<VersionOfSecret> {
  const held = await openValue(parts, secret, version.id);
  if (held !== undefined && value !== undefined && textOf(held) === textOf(value))
    return { secret, version };
  throw secretProblem({
    kind: 'secretVersionExists',
    message: `You can't use ClientRequestToken ${version.id} because that value is already in use for a version of secret ${arnOfSecret(secret)}.`,
  });
}

function versionIn({ versions }: Secret, id: string): SecretVersion {
  const version = versions.find((each) => each.id === id);
  if (version === undefined) throw new Error('a new version is not in its secret');
  return version;
}

/** What is sealed: which of the two it is, and the value. */
function textOf(value: SecretValue): string {
  return 'text' in value ? `s${value.text}` : `b${Buffer.from(value.bytes).toString('base64')}`;
}

/** Empty where there is no value. */
export function sealValue(
  { sealing }: Pick<SecretsParts, 'sealing'>,
  secret: Pick<Secret, 'registry' | 'name' | 'suffix'>,
  version: string,
  value: SecretValue | undefined,
): string {
  return value === undefined ? '' : sealing.seal(textOf(value), ownerOfValue(secret, version));
}

/** `undefined`: the version has none. Throws `secretUndecryptable`. */
export async function openValue(
  { metadata, sealing }: Pick<SecretReading, 'metadata' | 'sealing'>,
  secret: Secret,
  version: string,
): Promise<SecretValue | undefined> {
  const { registry, name } = secret;
  const sealed = await metadata.secrets.findSecretValue({ registry, name, version });
  if (sealed === undefined) return undefined;
  let text: string;
  try {
    text = sealing.open(sealed, ownerOfValue(secret, version));
  } catch (error) {
    throw new RegistryError(
      'conflict',
      "Secrets Manager can't decrypt the protected secret text: the key that sealed it is not here.",
      { kind: 'secretUndecryptable', cause: error },
    );
  }
  return text.startsWith('b')
    ? { bytes: Buffer.from(text.slice(1), 'base64') }
    : { text: text.slice(1) };
}

/** Once a day: when it was read last is kept by the day. */
async function noteRead(
  { metadata, clock }: SecretsParts,
  { registry, name, suffix }: Secret,
  { id, accessedAt }: SecretVersion,
): Promise<void> {
  const now = clock.now();
  if (accessedAt === dayOf(now)) return;
  const read = { kind: 'read', version: id } as const;
  // Whether it can be kept is not the reader's concern: the value is answered.
  await metadata.secrets
    .changeSecret({ registry, name, suffix, change: read, now })
    .catch(() => {});
}
