import { randomUUID } from 'node:crypto';
import { once, onceRead } from '../../coordination/call-attempt.ts';
import type { Asker, Audit } from '../../access/access.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { changeOf } from '../../access/audit/audit-entry.ts';
import type { AuditEntry } from '../../access/access.ts';
import type { Sealing } from '../../access/secrets/key-store.ts';
import type { RuleBook } from '../../cache/rules/rule-book.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import type { RegistryKey, RegistrySettings } from '../../domain/names/registry.ts';
import { registryIn, registryOf } from '../../domain/names/registry.ts';
import { namesInResource, parseSecretArn, secretArn } from '../../domain/names/secret-arn.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import type { SecretChange, SecretProblem } from '../../domain/secrets/secret-change.ts';
import { arnOfSecret, isGone } from '../../domain/secrets/secret.ts';
import type { Secret } from '../../domain/secrets/secret.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Invalidations } from '../../ports/invalidations.ts';
import type { Places, RegistryInput } from '../places.ts';
import type { FileSecrets } from './file-secrets.ts';

/** A secret as it was asked for: by its name, its ARN, or its ARN without the six characters at its end. */
export interface SecretInput extends RegistryInput {
  readonly secret: string;
}

export interface SecretsParts {
  readonly admission: Pick<Admission, 'requireOfResource'>;
  readonly places: Places;
  readonly registries: () => RegistrySettings;
  readonly metadata: Pick<Metadata, 'secrets'>;
  readonly sealing: Sealing;
  readonly fileSecrets: Pick<FileSecrets, 'all' | 'named' | 'fileName'>;
  readonly invalidations: Pick<Invalidations, 'note'>;
  readonly book: Pick<RuleBook, 'settled'>;
  readonly audit: Audit;
  readonly clock: Clock;
}

/** Where a secret was looked for, and what was found there. */
export interface Located {
  readonly registry: RegistryKey;
  /** The name, or what of an ARN may be one. */
  readonly asked: string;
  readonly secret: Secret | undefined;
  /** Where it stands in `secretsFile`: its value. Never logged. */
  readonly text?: string | undefined;
}

/** Finds the secret and asks for the right to it: whoever is refused is told the same of one that is there and one that is not. */
export async function admitted(
  parts: SecretsParts,
  asker: Asker,
  action: Action,
  input: SecretInput,
): Promise<Located> {
  const located = await onceRead('secret', () => locate(parts, asker, input));
  const { registry, asked, secret } = located;
  const resource = secret === undefined ? arnOfUnknown(registry, asked) : arnOfSecret(secret);
  await parts.admission.requireOfResource(asker, action, registry, resource, {
    resourceAsAsked: input.secret,
    resourcePolicy: secret?.policy,
  });
  return located;
}

/** What is asked about where no secret is found: what a policy says of the name holds, whatever would be behind it. */
export function arnOfUnknown(registry: RegistryKey, name: string): string {
  return secretArn(registryOf(registry), `${name}-??????`);
}

async function locate(
  parts: SecretsParts,
  asker: Asker,
  { secret: id, ...input }: SecretInput,
): Promise<Located> {
  const { places, registries } = parts;
  const own = places.registry(input, asker);
  const arn = id.startsWith('arn:') ? parseSecretArn(id) : undefined;
  const asked = arn?.resource ?? id;
  const registry = arn === undefined ? own : registryIn(registries(), arn);
  // An ARN of another region is asked about here, where it is not.
  if (registryOf(registry).region !== registryOf(own).region)
    return { registry: own, asked, secret: undefined };
  if (id.startsWith('arn:') && arn === undefined)
    return { registry: own, asked, secret: undefined };
  const inFile = parts.fileSecrets.named(registry, asked);
  if (inFile !== undefined && (arn !== undefined || inFile.secret.name === id))
    return { registry, asked, ...inFile };
  const find = arn === undefined ? findByName : findByResource;
  return { registry, asked, secret: await find(parts, registry, asked) };
}

/** What it takes to find a secret and to open its values. */
export interface SecretReading {
  readonly metadata: {
    readonly secrets: Pick<Metadata['secrets'], 'findSecret' | 'findSecretValue'>;
  };
  readonly sealing: Pick<Sealing, 'open'>;
  readonly clock: Pick<Clock, 'now'>;
}

type Findable = Pick<SecretReading, 'metadata' | 'clock'>;

async function findByName(
  { metadata, clock }: Findable,
  registry: RegistryKey,
  name: string,
): Promise<Secret | undefined> {
  const secret = await metadata.secrets.findSecret({ registry, name });
  return secret === undefined || isGone(secret, clock.now()) ? undefined : secret;
}

/** The secret that the end of an ARN names, with or without the six characters behind its name. */
export async function findByResource(
  parts: Findable,
  registry: RegistryKey,
  resource: string,
): Promise<Secret | undefined> {
  for (const name of namesInResource(resource)) {
    const secret = await findByName(parts, registry, name);
    if (secret === undefined) continue;
    if (resource === name || resource === `${name}-${secret.suffix}`) return secret;
  }
  return undefined;
}

/** The secret that was found; throws `secretUnknown`. */
export function present({ secret }: Located): Secret {
  if (secret === undefined) throw secretUnknown("Secrets Manager can't find the specified secret.");
  return secret;
}

/** The same for whoever changes it; throws for one of `secretsFile`. */
export function changeable({ fileSecrets }: SecretsParts, located: Located): Secret {
  const secret = present(located);
  if (located.text === undefined) return secret;
  throw secretProblem({
    kind: 'secretRequestInvalid',
    message: `You can't perform this operation on the secret because it stands in secretsFile of this server (${fileSecrets.fileName}), where its operator can change it.`,
  });
}

export function secretUnknown(message: string): RegistryError {
  return new RegistryError('nameUnknown', message, { kind: 'secretUnknown' });
}

const codes: Readonly<Record<SecretProblem['kind'], ErrorCode>> = {
  secretUnknown: 'nameUnknown',
  secretVersionExists: 'conflict',
  secretRequestInvalid: 'conflict',
  secretStageInvalid: 'requestInvalid',
  secretLimit: 'conflict',
};

export function secretProblem({ kind, message }: SecretProblem): RegistryError {
  return new RegistryError(codes[kind], message, { kind });
}

/** Throws `requestInvalid`. */
export function secretInputInvalid(message: string): RegistryError {
  return new RegistryError('requestInvalid', message);
}

/** A new version's id where the client named none. */
export function newVersionId(): string {
  return once('version', () => randomUUID());
}

/** Under which name a value is sealed: it opens as that of its secret and version alone. */
export function ownerOfValue(
  { registry, name, suffix }: Pick<Secret, 'registry' | 'name' | 'suffix'>,
  version: string,
): string {
  return `secret ${registry} ${name}-${suffix} ${version}`;
}

export interface Changing {
  readonly action: Action;
  readonly change: SecretChange;
  /** The value of the change's new version. */
  readonly sealed?: string | undefined;
  readonly detail?: AuditEntry['detail'];
}

/** Makes the change, has the rules read what it changed, and records it. Throws what keeps it from being made. */
export async function change(
  parts: SecretsParts,
  asker: Asker,
  { registry, name, suffix }: Secret,
  { action, change: asked, sealed, detail }: Changing,
): Promise<Secret> {
  const now = parts.clock.now();
  const changed = await noting(parts, registry, () =>
    parts.metadata.secrets.changeSecret({ registry, name, suffix, change: asked, sealed, now }),
  );
  if (changed === undefined)
    throw secretUnknown("Secrets Manager can't find the specified secret.");
  if (changed.problem !== undefined) throw secretProblem(changed.problem);
  record(parts, asker, action, changed.secret, detail);
  return changed.secret;
}

/** Notes that secrets of the registry are others once a write is over, also where it failed half-way, and answers once rules show them. */
export async function noting<T>(
  { invalidations, book }: SecretsParts,
  registry: RegistryKey,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } finally {
    invalidations.note({ kind: 'secrets', registry });
    // What can't be read now is told in the log, and read again until it can.
    await book.settled().catch(() => {});
  }
}

export function record(
  { audit }: SecretsParts,
  asker: Asker,
  action: Action,
  { registry, name }: Pick<Secret, 'registry' | 'name'>,
  detail: AuditEntry['detail'] = {},
): void {
  audit.record(changeOf(asker, action, { registry, resource: name }, detail));
}
