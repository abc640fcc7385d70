import type { Shape } from '../../../src/api/aws/service-model.ts';
import type { TextOf } from './aws-inputs.ts';

const uuid = '01234567-89ab-cdef-0123-456789abcdef';

/** Beginnings that patterns ask for; what follows is `a` as far as the length goes. */
export const beginnings: Readonly<Record<string, string>> = {
  CredentialArn: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/',
  KmsKeyForRepositoryCreationTemplate: 'arn:aws:kms:us-east-1:000000000000:key/',
  LayerDigest: 'sha256:',
  PrincipalArn: 'arn:aws:iam::000000000000:user/a',
  RegistryId: '000000000000',
  ReplicationBackfillId: uuid,
  SigningProfileArn: 'arn:aws:signer:us-east-1:000000000000:/signing-profiles/aa',
  UploadId: uuid,
  RegionType: 'us-1',
  policyVersionIdType: 'v1.',
  arnType: 'arn:aws:iam::000000000000:',
  serialNumberType: 'arn:aws:iam::000000000000:',
  pathType: '/',
  pathPrefixType: '/',
  policyPathType: '/',
};
/** Texts of one length, whatever is asked for. */
const fixed: ReadonlySet<string> = new Set([
  'RegistryId',
  'ReplicationBackfillId',
  'UploadId',
  'RegionType',
]);
/** What stands at the end. */
const ends: Readonly<Record<string, string>> = { pathType: '/', policyPathType: '/' };

/** A text that the shape of that name takes, of so many characters where its pattern allows it. */
export const textOf: TextOf = ({ enum: words }: Shape, name, length) => {
  if (words !== undefined) return words[0] ?? '';
  const begin = beginnings[name] ?? '';
  if (fixed.has(name)) return begin;
  if (name === 'tokenCodeType') return '1'.repeat(length);
  if (name === 'DurationType') return `${'1'.repeat(length - 1)}h`;
  const end = ends[name] ?? '';
  if (begin === '/' && length <= 1) return '/';
  if (name === 'KmsKeyForRepositoryCreationTemplate' && length === 0) return '';
  return `${begin}${'a'.repeat(Math.max(length - begin.length - end.length, begin === '' ? 0 : 1))}${end}`;
};
