import type { Asker } from '../../access/access.ts';
import type { Admission } from '../../access/admission/admission.ts';
import type { RegistryKey, RegistrySettings } from '../../domain/names/registry.ts';
import { registryIn, registryOf } from '../../domain/names/registry.ts';
import { parseSecretArn, secretArn } from '../../domain/names/secret-arn.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { ruleError } from '../../domain/rules/rule-error.ts';
import type { FoundSecret, SecretValues } from '../../ports/secret-values.ts';
import { arnOfUnknown } from '../secrets/located-secret.ts';

export interface RuleSecretsParts {
  readonly admission: Pick<Admission, 'requireOfResource'>;
  readonly secrets: SecretValues;
  readonly registries: () => RegistrySettings;
}

/**
 * Whether the rule may show the secret: it is there, with or without a value, in the rule's own registry. Where the upstream is none of
 * those that ECR knows, whoever sends a secret there must be allowed to read it.
 */
export async function checkSecret(
  { admission, secrets, registries }: RuleSecretsParts,
  asker: Asker,
  registry: RegistryKey,
  credentialArn: string | undefined,
  isKnownUpstream: boolean,
): Promise<void> {
  if (credentialArn === undefined) return;
  const named = parseSecretArn(credentialArn);
  const isHere = named !== undefined && registryIn(registries(), named) === registry;
  const found: FoundSecret = isHere
    ? await secrets.find(registry, credentialArn)
    : { kind: 'notFound' };
  if (!isKnownUpstream) {
    // As for whoever reads it: a denial of the secret holds whatever part of its ARN, and whichever region of home, was written.
    const resource =
      found.kind === 'notFound'
        ? arnOfUnknown(registry, named?.resource ?? credentialArn)
        : found.secret;
    await admission.requireOfResource(asker, actions.readSecret, registry, resource, {
      resourceAsAsked: credentialArn,
      resourcePolicy: found.kind === 'notFound' ? undefined : found.policy,
    });
  }
  if (!isHere)
    throw ruleError('secretInaccessible', secretErrors.deleted.text, {
      detail: {
        field: 'credential',
        value: credentialArn,
        hint: 'the secret must be of the account and region of the rule',
      },
    });
  const { kind } = found;
  if (kind === 'value' || kind === 'noValue') return;
  const { reason, text } = secretErrors[kind];
  throw ruleError(reason, text, { detail: { field: 'credential', value: credentialArn } });
}

const secretErrors: Readonly<
  Record<
    Exclude<FoundSecret['kind'], 'value' | 'noValue'>,
    { readonly reason: Parameters<typeof ruleError>[0]; readonly text: string }
  >
> = {
  notFound: {
    reason: 'secretUnknown',
    text: 'The ARN of the secret specified in the pull through cache rule was not found. Update the secret ARN and try again.',
  },
  deleted: {
    reason: 'secretInaccessible',
    text: 'The secret is unable to be accessed. Verify the resource permissions for the secret and try again.',
  },
  undecryptable: {
    reason: 'secretUndecryptable',
    text: 'The secret is accessible but is unable to be decrypted. Verify the resource permissions and try again.',
  },
};

/** A name is that of a secret of the rule's own registry. */
export function wholeArn(registry: RegistryKey, text: string | undefined): string | undefined {
  if (text === undefined || text.startsWith('arn:')) return text;
  return secretArn(registryOf(registry), text);
}
