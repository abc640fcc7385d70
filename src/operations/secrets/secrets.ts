import type { Asker } from '../../access/access.ts';
import { once } from '../../coordination/call-attempt.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Label } from '../../domain/names/label.ts';
import { inKeyOrder } from '../../domain/names/label.ts';
import { registryOf } from '../../domain/names/registry.ts';
import { secretArn } from '../../domain/names/secret-arn.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { parsePolicy } from '../../domain/policy/parser.ts';
import type { PolicyDocument } from '../../domain/policy/policy.ts';
import { markedForDeletion, secretTagsMax } from '../../domain/secrets/secret-change.ts';
import { positionOf } from '../../domain/secrets/secret-listing.ts';
import type { SecretListing } from '../../domain/secrets/secret-listing.ts';
import { currentStage, isSecretName } from '../../domain/secrets/secret.ts';
import type { Secret } from '../../domain/secrets/secret.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { mixedAlphabet, randomText } from '../../access/secrets/random-text.ts';
import { pageOf, readCursor } from '../page.ts';
import type { PageInput } from '../page.ts';
import type { RegistryInput } from '../places.ts';
import {
  admitted,
  change,
  changeable,
  newVersionId,
  noting,
  present,
  record,
  secretInputInvalid,
  secretProblem,
} from './located-secret.ts';
import type { SecretInput, SecretsParts } from './located-secret.ts';
import { createSecretValues, openValue, sealValue } from './secret-values.ts';
import type { SecretValue, SecretValueOperations } from './secret-values.ts';

export interface NewSecret extends RegistryInput {
  readonly name: string;
  readonly description?: string | undefined;
  readonly kmsKey?: string | undefined;
  readonly type?: string | undefined;
  readonly tags?: readonly Label[] | undefined;
  /** By which a repeat of the request is known; also the id of the first version. */
  readonly token?: string | undefined;
  readonly value?: SecretValue | undefined;
}

/** Secrets of a registry, as Secrets Manager keeps them. Each throws `RegistryError`. */
export interface SecretOperations extends SecretValueOperations {
  /** A repeat of the request answers what is there. */
  create(asker: Asker, input: NewSecret): Promise<Secret>;
  describe(asker: Asker, input: SecretInput): Promise<Secret>;
  versions(asker: Asker, input: SecretInput): Promise<Secret>;
  list(
    asker: Asker,
    input: RegistryInput & PageInput & Omit<SecretListing, 'after' | 'limit'>,
  ): Promise<Listing<Secret>>;
  /** `days` undefined: at once, and then it is no error that it is not there. `at`: when it is gone, wall ms. */
  delete(
    asker: Asker,
    input: SecretInput & { readonly days: number | undefined },
  ): Promise<{ readonly secret: Secret | undefined; readonly at: number }>;
  restore(asker: Asker, input: SecretInput): Promise<Secret>;
  tag(asker: Asker, input: SecretInput & { readonly tags: readonly Label[] }): Promise<void>;
  untag(asker: Asker, input: SecretInput & { readonly keys: readonly string[] }): Promise<void>;
  policy(asker: Asker, input: SecretInput): Promise<Secret>;
  /** `blockPublic`: one that lets everyone in is refused. */
  putPolicy(
    asker: Asker,
    input: SecretInput & { readonly policy: string; readonly blockPublic: boolean },
  ): Promise<Secret>;
  deletePolicy(asker: Asker, input: SecretInput): Promise<Secret>;
}

/** Of one registry. */
const secretsMax = 10_000;
const dayMs = 86_400_000;

export function createSecretOperations(parts: SecretsParts): SecretOperations {
  return {
    ...createSecretValues(parts),
    create: (asker, input) => create(parts, asker, input),
    ...views(parts),
    ...ends(parts),
    ...tagChanges(parts),
    ...policyChanges(parts),
  };
}

async function create(parts: SecretsParts, asker: Asker, input: NewSecret): Promise<Secret> {
  const { admission, places, metadata, clock } = parts;
  const { name, description, kmsKey, type, tags = [], token = newVersionId(), value } = input;
  const registry = places.registry(input, asker);
  const suffix = once('suffix', () => randomText(mixedAlphabet, 6));
  const arn = secretArn(registryOf(registry), `${name}-${suffix}`);
  const asked = { resourceAsAsked: name };
  await admission.requireOfResource(asker, actions.createSecret, registry, arn, asked);
  if (tags.length > 0)
    await admission.requireOfResource(asker, actions.tagSecret, registry, arn, asked);
  if (!isSecretName(name))
    throw secretInputInvalid(
      'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@',
    );
  requireTags(tags);
  if (tags.length > secretTagsMax)
    throw secretProblem({
      kind: 'secretLimit',
      message: `A secret can have at most ${secretTagsMax} tags.`,
    });
  if (parts.fileSecrets.named(registry, name)?.secret.name === name)
    throw new RegistryError(
      'conflict',
      `The operation failed because the secret ${name} already exists in secretsFile of this server (${parts.fileSecrets.fileName}), where its operator can change it.`,
      { kind: 'secretExists' },
    );
  const now = clock.now();
  const secret: Secret = {
    registry,
    name,
    suffix,
    ...(description === undefined ? {} : { description }),
    ...(kmsKey === undefined ? {} : { kmsKey }),
    ...(type === undefined ? {} : { type }),
    tags: inKeyOrder(tags),
    token,
    createdAt: now,
    changedAt: now,
    versions: value === undefined ? [] : [{ id: token, stages: [currentStage], createdAt: now }],
  };
  const sealed = value && sealValue(parts, secret, token, value);
  const outcome = await noting(parts, registry, () =>
    metadata.secrets.createSecret({ secret, sealed, secretsMax, now }),
  );
  if (outcome === 'exists') return existing(parts, secret, value);
  if (outcome === 'limit')
    throw secretProblem({
      kind: 'secretLimit',
      message: `An account can have at most ${secretsMax} secrets in a region.`,
    });
  record(parts, asker, actions.createSecret, secret);
  return secret;
}

/** What is there, where this is a repeat of the request that made it. */
async function existing(
  parts: SecretsParts,
  { registry, name, token }: Secret,
  value: SecretValue | undefined,
): Promise<Secret> {
  const there = await parts.metadata.secrets.findSecret({ registry, name });
  if (there?.deletion !== undefined)
    throw secretProblem({
      kind: 'secretRequestInvalid',
      message:
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
    });
  if (there?.token === token && (await hasValue(parts, there, value))) return there;
  throw new RegistryError(
    'conflict',
    `The operation failed because the secret ${name} already exists.`,
    { kind: 'secretExists' },
  );
}

async function hasValue(
  parts: SecretsParts,
  secret: Secret,
  value: SecretValue | undefined,
): Promise<boolean> {
  const held = await openValue(parts, secret, secret.token);
  if (held === undefined || value === undefined) return held === value;
  if ('text' in held) return 'text' in value && held.text === value.text;
  return 'bytes' in value && Buffer.from(held.bytes).equals(value.bytes);
}

function views(
  parts: SecretsParts,
): Pick<SecretOperations, 'describe' | 'versions' | 'list' | 'policy'> {
  const { admission, places, metadata, fileSecrets, clock } = parts;
  return {
    describe: async (asker, input) =>
      present(await admitted(parts, asker, actions.describeSecret, input)),
    versions: async (asker, input) =>
      present(await admitted(parts, asker, actions.listSecretVersions, input)),
    list: async (asker, { limit, cursor, filters, withDeleted, by, descending, ...input }) => {
      const registry = places.registry(input, asker);
      await admission.requireOfResource(asker, actions.listSecrets, registry, '*');
      const [at, name] = readCursor(cursor, 2) ?? [];
      const after = name === undefined ? undefined : { at: Number(at), name };
      const rows = await metadata.secrets.listSecrets(registry, {
        filters,
        withDeleted,
        by,
        descending,
        after,
        limit: limit + 1,
        now: clock.now(),
        others: fileSecrets.all(registry),
      });
      return pageOf(rows, limit, {
        view: (secret) => secret,
        keyOf: (secret) => {
          const position = positionOf(secret, by);
          return [String(position.at), position.name];
        },
      });
    },
    policy: async (asker, input) => {
      const secret = present(await admitted(parts, asker, actions.getSecretPolicy, input));
      if (secret.deletion !== undefined) throw secretProblem(markedForDeletion);
      return secret;
    },
  };
}

function ends(parts: SecretsParts): Pick<SecretOperations, 'delete' | 'restore'> {
  const { metadata, clock } = parts;
  return {
    delete: async (asker, { days, ...input }) => {
      const action = actions.deleteSecret;
      const located = await admitted(parts, asker, action, input);
      const now = clock.now();
      if (days === undefined) {
        if (located.secret === undefined) return { secret: undefined, at: now };
        const secret = changeable(parts, located);
        const gone = await noting(parts, secret.registry, () =>
          metadata.secrets.removeSecret(secret),
        );
        if (gone) record(parts, asker, action, secret, { force: true });
        return { secret, at: now };
      }
      const secret = changeable(parts, located);
      if (secret.deletion !== undefined)
        throw secretProblem({
          kind: 'secretRequestInvalid',
          message:
            "You tried to perform the operation on a secret that's currently marked deleted.",
        });
      const at = now + days * dayMs;
      await change(parts, asker, secret, {
        action,
        change: { kind: 'delete', at },
        detail: { days },
      });
      return { secret, at };
    },
    restore: async (asker, input) => {
      const action = actions.restoreSecret;
      const secret = changeable(parts, await admitted(parts, asker, action, input));
      return change(parts, asker, secret, { action, change: { kind: 'restore' } });
    },
  };
}

function tagChanges(parts: SecretsParts): Pick<SecretOperations, 'tag' | 'untag'> {
  return {
    tag: async (asker, { tags, ...input }) => {
      const action = actions.tagSecret;
      const secret = changeable(parts, await admitted(parts, asker, action, input));
      requireTags(tags);
      const keys = tags.map(({ key }) => key).join(' ');
      await change(parts, asker, secret, {
        action,
        change: { kind: 'tags', remove: [], set: tags },
        detail: { keys },
      });
    },
    untag: async (asker, { keys, ...input }) => {
      const action = actions.untagSecret;
      const secret = changeable(parts, await admitted(parts, asker, action, input));
      await change(parts, asker, secret, {
        action,
        change: { kind: 'tags', remove: keys, set: [] },
        detail: { keys: keys.join(' ') },
      });
    },
  };
}

function requireTags(tags: readonly Label[]): void {
  for (const { key } of tags) {
    if (key === '') throw secretInputInvalid('A tag has no Key.');
    if (/^aws:/i.test(key))
      throw secretInputInvalid('aws: prefixed tag key names are not allowed for external use.');
  }
  if (new Set(tags.map(({ key }) => key)).size < tags.length)
    throw secretInputInvalid('Two tags have the same Key.');
}

function policyChanges(parts: SecretsParts): Pick<SecretOperations, 'putPolicy' | 'deletePolicy'> {
  return {
    putPolicy: async (asker, { policy: text, blockPublic, ...input }) => {
      const action = actions.putSecretPolicy;
      const secret = changeable(parts, await admitted(parts, asker, action, input));
      const document = parsePolicy(text, 'secret');
      if (blockPublic && isPublic(document))
        throw new RegistryError(
          'requestInvalid',
          'This resource policy grants broad public access to your secret and is blocked.',
          { kind: 'secretPolicyPublic' },
        );
      return change(parts, asker, secret, { action, change: { kind: 'policy', text } });
    },
    deletePolicy: async (asker, input) => {
      const action = actions.deleteSecretPolicy;
      const secret = changeable(parts, await admitted(parts, asker, action, input));
      return change(parts, asker, secret, { action, change: { kind: 'policy', text: undefined } });
    },
  };
}

function isPublic({ statements }: PolicyDocument): boolean {
  return statements.some(
    ({ effect, principals, notPrincipals, conditions }) =>
      effect === 'Allow' &&
      conditions.length === 0 &&
      (principals?.everyone === true || notPrincipals !== undefined),
  );
}
