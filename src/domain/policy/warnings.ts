import { nearest } from '../nearest.ts';
import type { PolicyDocument, PolicyKind, PolicyStatement } from './policy.ts';
import type { PolicyProblem } from './problem.ts';
import { shortened } from './problem.ts';
import { matchesGlob } from '../wildcard.ts';

/** Actions of ECR, as its service authorization reference and its API have them. */
const ecrActions: readonly string[] = `
  BatchCheckLayerAvailability BatchDeleteImage BatchGetImage BatchGetRepositoryScanningConfiguration BatchImportUpstreamImage
  CompleteLayerUpload CreatePullThroughCacheRule CreateRepository CreateRepositoryCreationTemplate DeleteLifecyclePolicy
  DeletePullThroughCacheRule DeleteRegistryPolicy DeleteRepository DeleteRepositoryCreationTemplate DeleteRepositoryPolicy
  DeleteSigningConfiguration DeregisterPullTimeUpdateExclusion DescribeImageReplicationStatus DescribeImageScanFindings
  DescribeImageSigningStatus DescribeImages DescribePullThroughCacheRules DescribeRegistry DescribeReplicationBackfillResults
  DescribeRepositories DescribeRepositoryCreationTemplates GetAccountSetting GetAuthorizationToken GetDownloadUrlForLayer
  GetImageCopyStatus GetLifecyclePolicy GetLifecyclePolicyPreview GetRegistryPolicy GetRegistryScanningConfiguration
  GetRepositoryPolicy GetSigningConfiguration InitiateLayerUpload ListImageReferrers ListImages ListPullTimeUpdateExclusions
  ListReplicationBackfills ListTagsForResource PutAccountSetting PutImage PutImageScanningConfiguration PutImageTagMutability
  PutLifecyclePolicy PutRegistryPolicy PutRegistryScanningConfiguration PutReplicationConfiguration PutSigningConfiguration
  RegisterPullTimeUpdateExclusion ReplicateImage SetRepositoryPolicy StartImageScan StartLifecyclePolicyPreview
  StartReplicationBackfill StopReplicationBackfill TagResource UntagResource UpdateImageStorageClass UpdatePullThroughCacheRule
  UpdateRepositoryCreationTemplate UploadLayerPart ValidatePullThroughCacheRule`
  .trim()
  .split(/\s+/);

/** Condition keys that requests here can have, in lower case. */
export const knownConditionKeys: ReadonlySet<string> = new Set([
  'aws:currenttime',
  'aws:epochtime',
  'aws:federatedprovider',
  'aws:principalaccount',
  'aws:principalarn',
  'aws:principalisawsservice',
  'aws:principalorgid',
  'aws:principaltype',
  'aws:requestedregion',
  'aws:resourceaccount',
  'aws:resourceorgid',
  'aws:securetransport',
  'aws:sourceip',
  'aws:useragent',
  'aws:userid',
  'aws:username',
  'aws:viaawsservice',
  'iam:policyarn',
]);

/** Of labels of the caller. */
const principalTag = 'aws:principaltag/';

/** Those of whoever assumes a role; issuers have others of their own. */
const trustKeys: ReadonlySet<string> = new Set([
  'aws:tagkeys',
  'sts:externalid',
  'sts:rolesessionname',
  'sts:transitivetagkeys',
]);

const warningsMax = 20;

/**
 * What a policy says in vain, though the language allows it: actions that ECR does not have, keys that no request has, federated users. A
 * `Deny` of such kind keeps nobody from anything. At most twenty.
 */
export function policyWarnings({ kind, statements }: PolicyDocument): readonly PolicyProblem[] {
  return statements
    .flatMap((statement, index) => warningsOf(statement, `Statement[${index}]`, kind))
    .slice(0, warningsMax);
}

function warningsOf(
  statement: PolicyStatement,
  field: string,
  kind: PolicyKind,
): readonly PolicyProblem[] {
  const { actions, notActions, principals, notPrincipals, conditions } = statement;
  return [
    ...(actions ?? []).flatMap((action) => ofAction(action, `${field}.Action`)),
    ...(notActions ?? []).flatMap((action) => ofAction(action, `${field}.NotAction`)),
    ...(principals?.arns ?? []).flatMap((arn) => ofPrincipal(arn, `${field}.Principal.AWS`)),
    ...(notPrincipals?.arns ?? []).flatMap((arn) => ofPrincipal(arn, `${field}.NotPrincipal.AWS`)),
    ...conditions.flatMap(({ operator, key }) =>
      ofKey(key, `${field}.Condition.${operator}`, kind),
    ),
  ];
}

function ofAction(action: string, field: string): readonly PolicyProblem[] {
  const name = /^ecr:(.*)$/.exec(action)?.[1];
  if (name === undefined) return [];
  if (ecrActions.some((known) => matchesGlob(name, known.toLowerCase()))) return [];
  const meant =
    ecrActions.find((known) => known.toLowerCase().includes(name)) ?? nearest(name, ecrActions);
  return [
    {
      field,
      value: shortened(action),
      what: 'is no action of ECR, and matches none',
      fix:
        meant === undefined ? 'see docs/access.md for those that there are' : `write ecr:${meant}`,
    },
  ];
}

function ofPrincipal(arn: string, field: string): readonly PolicyProblem[] {
  if (!/:federated-user\//.test(arn)) return [];
  const what = 'is a federated user, of which there are none here: nobody is meant';
  return [{ field, value: shortened(arn), what, fix: 'name a user, a role or an account' }];
}

function ofKey(key: string, field: string, kind: PolicyKind): readonly PolicyProblem[] {
  if (knownConditionKeys.has(key) || key.startsWith(principalTag)) return [];
  if (kind === 'trust' && (trustKeys.has(key) || !/^(?:aws|sts|ecr|iam):/.test(key))) return [];
  if (kind === 'trust' && key.startsWith('aws:requesttag/')) return [];
  const meant = nearest(key, [...knownConditionKeys]);
  return [
    {
      field,
      value: shortened(key),
      what: 'is a key that no request has here',
      fix: meant === undefined ? 'remove it, or ask for a key of docs/access.md' : `write ${meant}`,
    },
  ];
}
