import type { AwsAnswer, AwsRig } from '../rigs/aws-rig.ts';
import { home } from '../rigs/api-rig.ts';
import { push, pushInput } from '../../contracts/metadata/samples.ts';

/** One call of an operation that changes something, and what has to be there before it. */
export interface ChangingCall {
  readonly service: 'ecr' | 'secretsmanager' | 'iam';
  readonly operation: string;
  /** A function: of what `before` has made. */
  readonly input: object | ((aws: AwsRig) => Promise<object>);
  readonly before?: readonly (readonly [operation: string, input: object])[];
}

const repositoryName = 'team/app';
const repository = ['CreateRepository', { repositoryName }] as const;
const policyText =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}';
const registryPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchImportUpstreamImage","Resource":"arn:aws:ecr:us-east-1:${home}:repository/*"}]}`;
const userPolicy =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}';
const lifecyclePolicyText =
  '{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}';
const resourceArn = `arn:aws:ecr:us-east-1:${home}:repository/${repositoryName}`;
const rule = { ecrRepositoryPrefix: 'k8s', upstreamRegistryUrl: 'registry.k8s.io' };
const template = { prefix: 'team', appliedFor: ['CREATE_ON_PUSH'] };
const signing = {
  signingConfiguration: {
    rules: [{ signingProfileArn: `arn:aws:signer:us-east-1:${home}:/signing-profiles/pp` }],
  },
};
const principalArn = `arn:aws:iam::${home}:user/ann`;
const secret = ['CreateSecret', { Name: 'app/db', SecretString: 'one' }] as const;
const SecretId = 'app/db';
const user = ['CreateUser', { UserName: 'mia' }] as const;
const UserName = 'mia';

/** The only version of the secret. */
async function versionOf(aws: AwsRig): Promise<string> {
  const { json } = await aws.secrets('GetSecretValue', { SecretId });
  return json.VersionId as string;
}

async function keyOfUser(aws: AwsRig): Promise<string> {
  const { text } = await askCall(aws, 'iam', 'ListAccessKeys', { UserName });
  return /<AccessKeyId>([^<]*)</.exec(text)?.[1] ?? '';
}

async function pushedImage(aws: AwsRig): Promise<object> {
  await push(aws.api.metadata, pushInput(repositoryName, 'one', { tags: ['v1', 'v2'] }));
  return { repositoryName, imageIds: [{ imageTag: 'v1' }, { imageTag: 'none' }] };
}

const ecr: readonly Omit<ChangingCall, 'service'>[] = [
  { operation: 'CreateRepository', input: { repositoryName, tags: [{ Key: 'a', Value: 'b' }] } },
  { operation: 'DeleteRepository', input: { repositoryName }, before: [repository] },
  {
    operation: 'PutImageTagMutability',
    input: { repositoryName, imageTagMutability: 'IMMUTABLE' },
    before: [repository],
  },
  {
    operation: 'PutImageScanningConfiguration',
    input: { repositoryName, imageScanningConfiguration: { scanOnPush: true } },
    before: [repository],
  },
  { operation: 'BatchDeleteImage', input: pushedImage, before: [repository] },
  { operation: 'CreatePullThroughCacheRule', input: rule },
  {
    operation: 'UpdatePullThroughCacheRule',
    input: { ecrRepositoryPrefix: 'k8s', customRoleArn: `arn:aws:iam::${home}:role/pull` },
    before: [['CreatePullThroughCacheRule', rule]],
  },
  {
    operation: 'DeletePullThroughCacheRule',
    input: { ecrRepositoryPrefix: 'k8s' },
    before: [['CreatePullThroughCacheRule', rule]],
  },
  {
    operation: 'TagResource',
    input: { resourceArn, tags: [{ Key: 'a', Value: 'b' }] },
    before: [repository],
  },
  {
    operation: 'UntagResource',
    input: { resourceArn, tagKeys: ['a'] },
    before: [['CreateRepository', { repositoryName, tags: [{ Key: 'a', Value: 'b' }] }]],
  },
  { operation: 'CreateRepositoryCreationTemplate', input: template },
  {
    operation: 'UpdateRepositoryCreationTemplate',
    input: { prefix: 'team', description: 'of the team' },
    before: [['CreateRepositoryCreationTemplate', template]],
  },
  {
    operation: 'DeleteRepositoryCreationTemplate',
    input: { prefix: 'team' },
    before: [['CreateRepositoryCreationTemplate', template]],
  },
  {
    operation: 'SetRepositoryPolicy',
    input: { repositoryName, policyText },
    before: [repository],
  },
  {
    operation: 'DeleteRepositoryPolicy',
    input: { repositoryName },
    before: [repository, ['SetRepositoryPolicy', { repositoryName, policyText }]],
  },
  { operation: 'PutRegistryPolicy', input: { policyText: registryPolicy } },
  {
    operation: 'DeleteRegistryPolicy',
    input: {},
    before: [['PutRegistryPolicy', { policyText: registryPolicy }]],
  },
  { operation: 'PutAccountSetting', input: { name: 'BLOB_MOUNTING', value: 'ENABLED' } },
  {
    operation: 'PutLifecyclePolicy',
    input: { repositoryName, lifecyclePolicyText },
    before: [repository],
  },
  {
    operation: 'DeleteLifecyclePolicy',
    input: { repositoryName },
    before: [repository, ['PutLifecyclePolicy', { repositoryName, lifecyclePolicyText }]],
  },
  {
    operation: 'StartLifecyclePolicyPreview',
    input: { repositoryName, lifecyclePolicyText },
    before: [repository],
  },
  {
    operation: 'PutReplicationConfiguration',
    input: {
      replicationConfiguration: {
        rules: [{ destinations: [{ region: 'eu-west-1', registryId: home }] }],
      },
    },
  },
  { operation: 'PutRegistryScanningConfiguration', input: { scanType: 'ENHANCED', rules: [] } },
  { operation: 'PutSigningConfiguration', input: signing },
  {
    operation: 'DeleteSigningConfiguration',
    input: {},
    before: [['PutSigningConfiguration', signing]],
  },
  { operation: 'RegisterPullTimeUpdateExclusion', input: { principalArn } },
  {
    operation: 'DeregisterPullTimeUpdateExclusion',
    input: { principalArn },
    before: [['RegisterPullTimeUpdateExclusion', { principalArn }]],
  },
];

const secrets: readonly Omit<ChangingCall, 'service'>[] = [
  {
    operation: 'CreateSecret',
    input: { Name: 'app/new', SecretString: 'v', Tags: [{ Key: 'a', Value: 'b' }] },
  },
  { operation: 'UpdateSecret', input: { SecretId, SecretString: 'two' }, before: [secret] },
  { operation: 'PutSecretValue', input: { SecretId, SecretString: 'two' }, before: [secret] },
  {
    operation: 'UpdateSecretVersionStage',
    input: async (aws) => ({ SecretId, VersionStage: 'X', MoveToVersionId: await versionOf(aws) }),
    before: [secret],
  },
  { operation: 'DeleteSecret', input: { SecretId }, before: [secret] },
  {
    operation: 'DeleteSecret',
    input: { SecretId, ForceDeleteWithoutRecovery: true },
    before: [secret],
  },
  {
    operation: 'RestoreSecret',
    input: { SecretId },
    before: [secret, ['DeleteSecret', { SecretId }]],
  },
  {
    operation: 'TagResource',
    input: { SecretId, Tags: [{ Key: 'a', Value: 'b' }] },
    before: [secret],
  },
  {
    operation: 'UntagResource',
    input: { SecretId, TagKeys: ['a'] },
    before: [secret, ['TagResource', { SecretId, Tags: [{ Key: 'a', Value: 'b' }] }]],
  },
  {
    operation: 'PutResourcePolicy',
    input: {
      SecretId,
      ResourcePolicy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::${home}:root"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`,
    },
    before: [secret],
  },
  { operation: 'DeleteResourcePolicy', input: { SecretId }, before: [secret] },
];

const key = ['CreateAccessKey', { UserName }] as const;
const inline = { UserName, PolicyName: 'p', PolicyDocument: userPolicy };

const iam: readonly Omit<ChangingCall, 'service'>[] = [
  { operation: 'CreateUser', input: { UserName, Tags: [{ Key: 'a', Value: 'b' }] } },
  { operation: 'DeleteUser', input: { UserName }, before: [user] },
  {
    operation: 'TagUser',
    input: { UserName, Tags: [{ Key: 'a', Value: 'b' }] },
    before: [user],
  },
  {
    operation: 'UntagUser',
    input: { UserName, TagKeys: ['a'] },
    before: [['CreateUser', { UserName, Tags: [{ Key: 'a', Value: 'b' }] }]],
  },
  { operation: 'PutUserPolicy', input: inline, before: [user] },
  {
    operation: 'DeleteUserPolicy',
    input: { UserName, PolicyName: 'p' },
    before: [user, ['PutUserPolicy', inline]],
  },
  {
    operation: 'UpdateAccessKey',
    input: async (aws) => ({ UserName, AccessKeyId: await keyOfUser(aws), Status: 'Inactive' }),
    before: [user, key],
  },
  {
    operation: 'DeleteAccessKey',
    input: async (aws) => ({ UserName, AccessKeyId: await keyOfUser(aws) }),
    before: [user, key],
  },
];

const RoleName = 'nodes';
const trusting = {
  RoleName,
  AssumeRolePolicyDocument:
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}]}',
};
const role = ['CreateRole', trusting] as const;
const roleInline = { RoleName, PolicyName: 'p', PolicyDocument: userPolicy };
const PolicyArn = `arn:aws:iam::${home}:policy/pp`;
const managed = { PolicyName: 'pp', PolicyDocument: userPolicy };
const policy = ['CreatePolicy', managed] as const;
const version = ['CreatePolicyVersion', { PolicyArn, PolicyDocument: userPolicy }] as const;
const labels = [{ Key: 'a', Value: 'b' }];

const iamRoles: readonly Omit<ChangingCall, 'service'>[] = [
  { operation: 'CreateRole', input: { ...trusting, Tags: labels } },
  { operation: 'UpdateRole', input: { RoleName, Description: 'd' }, before: [role] },
  { operation: 'UpdateRoleDescription', input: { RoleName, Description: 'd' }, before: [role] },
  {
    operation: 'UpdateAssumeRolePolicy',
    input: { RoleName, PolicyDocument: trusting.AssumeRolePolicyDocument.replace('ec2', 'ecs') },
    before: [role],
  },
  {
    operation: 'DeleteRole',
    input: { RoleName },
    before: [['CreateRole', { ...trusting, Path: '/a/' }]],
  },
  { operation: 'TagRole', input: { RoleName, Tags: labels }, before: [role] },
  {
    operation: 'UntagRole',
    input: { RoleName, TagKeys: ['a'] },
    before: [['CreateRole', { ...trusting, Tags: labels }]],
  },
  { operation: 'PutRolePolicy', input: roleInline, before: [role] },
  {
    operation: 'DeleteRolePolicy',
    input: { RoleName, PolicyName: 'p' },
    before: [role, ['PutRolePolicy', roleInline]],
  },
];

const iamPolicies: readonly Omit<ChangingCall, 'service'>[] = [
  { operation: 'CreatePolicy', input: { ...managed, Tags: labels } },
  { operation: 'DeletePolicy', input: { PolicyArn }, before: [policy] },
  { operation: 'TagPolicy', input: { PolicyArn, Tags: labels }, before: [policy] },
  {
    operation: 'UntagPolicy',
    input: { PolicyArn, TagKeys: ['a'] },
    before: [['CreatePolicy', { ...managed, Tags: labels }]],
  },
  { operation: 'CreatePolicyVersion', input: version[1], before: [policy] },
  {
    operation: 'DeletePolicyVersion',
    input: { PolicyArn, VersionId: 'v2' },
    before: [policy, version],
  },
  {
    operation: 'SetDefaultPolicyVersion',
    input: { PolicyArn, VersionId: 'v2' },
    before: [policy, version],
  },
  ...(['User', 'Role'] as const).flatMap((kind) => {
    const input = { ...(kind === 'User' ? { UserName } : { RoleName }), PolicyArn };
    const attach = `Attach${kind}Policy`;
    const before = [kind === 'User' ? user : role, policy] as const;
    return [
      { operation: attach, input, before },
      { operation: `Detach${kind}Policy`, input, before: [...before, [attach, input] as const] },
    ];
  }),
];

/** One call at least of each operation that changes what metadata hold and is answered without a secret. */
export const changingCalls: readonly ChangingCall[] = [
  ...ecr.map((each) => ({ service: 'ecr', ...each }) as const),
  ...secrets.map((each) => ({ service: 'secretsmanager', ...each }) as const),
  ...[...iam, ...iamRoles, ...iamPolicies].map((each) => ({ service: 'iam', ...each }) as const),
];

/** Asks an operation of a service in its protocol. */
export function askCall(
  aws: AwsRig,
  service: ChangingCall['service'],
  operation: string,
  input: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<AwsAnswer> {
  if (service === 'ecr') return aws.ecr(operation, input, { headers });
  if (service === 'secretsmanager') return aws.secrets(operation, input, { headers });
  const form = { Action: operation, Version: '2010-05-08', ...formOf(input) };
  return aws.form(form, { service, headers });
}

/** As the query protocol writes an input: `Tags.member.1.Key`. */
export function formOf(value: unknown, name = ''): Record<string, string> {
  if (typeof value !== 'object' || value === null) return { [name]: String(value) };
  const members = Array.isArray(value)
    ? value.map((each: unknown, index) => [`${name}.member.${index + 1}`, each] as const)
    : Object.entries(value).map(
        ([member, each]) => [name === '' ? member : `${name}.${member}`, each as unknown] as const,
      );
  if (members.length === 0) return name === '' ? {} : { [name]: '' };
  return Object.assign({}, ...members.map(([path, each]) => formOf(each, path))) as Record<
    string,
    string
  >;
}
