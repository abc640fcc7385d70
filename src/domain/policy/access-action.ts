/** The actions that requests map to (docs/access.md, "Actions and resources"); policies may name any other too, as ECR has more. */
export const actions = {
  getManifest: 'ecr:BatchGetImage',
  getBlob: 'ecr:GetDownloadUrlForLayer',
  checkBlob: 'ecr:BatchCheckLayerAvailability',
  listTags: 'ecr:ListImages',
  describeImages: 'ecr:DescribeImages',
  startUpload: 'ecr:InitiateLayerUpload',
  appendUpload: 'ecr:UploadLayerPart',
  finishUpload: 'ecr:CompleteLayerUpload',
  putManifest: 'ecr:PutImage',
  delete: 'ecr:BatchDeleteImage',
  listRepositories: 'ecr:DescribeRepositories',
  createRepository: 'ecr:CreateRepository',
  deleteRepository: 'ecr:DeleteRepository',
  setTagMutability: 'ecr:PutImageTagMutability',
  importUpstream: 'ecr:BatchImportUpstreamImage',
  getRepositoryPolicy: 'ecr:GetRepositoryPolicy',
  setRepositoryPolicy: 'ecr:SetRepositoryPolicy',
  deleteRepositoryPolicy: 'ecr:DeleteRepositoryPolicy',
  getLifecyclePolicy: 'ecr:GetLifecyclePolicy',
  putLifecyclePolicy: 'ecr:PutLifecyclePolicy',
  deleteLifecyclePolicy: 'ecr:DeleteLifecyclePolicy',
  startLifecyclePolicyPreview: 'ecr:StartLifecyclePolicyPreview',
  getLifecyclePolicyPreview: 'ecr:GetLifecyclePolicyPreview',
  getRegistryPolicy: 'ecr:GetRegistryPolicy',
  putRegistryPolicy: 'ecr:PutRegistryPolicy',
  deleteRegistryPolicy: 'ecr:DeleteRegistryPolicy',
  getAuthorizationToken: 'ecr:GetAuthorizationToken',
  tagResource: 'ecr:TagResource',
  untagResource: 'ecr:UntagResource',
  listTagsForResource: 'ecr:ListTagsForResource',
  putImageScanningConfiguration: 'ecr:PutImageScanningConfiguration',
  getAccountSetting: 'ecr:GetAccountSetting',
  putAccountSetting: 'ecr:PutAccountSetting',
  createRule: 'ecr:CreatePullThroughCacheRule',
  describeRules: 'ecr:DescribePullThroughCacheRules',
  updateRule: 'ecr:UpdatePullThroughCacheRule',
  deleteRule: 'ecr:DeletePullThroughCacheRule',
  validateRule: 'ecr:ValidatePullThroughCacheRule',
  readSecret: 'secretsmanager:GetSecretValue',
  describeRegistry: 'ecr:DescribeRegistry',
  putReplicationConfiguration: 'ecr:PutReplicationConfiguration',
  getRegistryScanningConfiguration: 'ecr:GetRegistryScanningConfiguration',
  putRegistryScanningConfiguration: 'ecr:PutRegistryScanningConfiguration',
  batchGetRepositoryScanningConfiguration: 'ecr:BatchGetRepositoryScanningConfiguration',
  getSigningConfiguration: 'ecr:GetSigningConfiguration',
  putSigningConfiguration: 'ecr:PutSigningConfiguration',
  deleteSigningConfiguration: 'ecr:DeleteSigningConfiguration',
  registerPullTimeUpdateExclusion: 'ecr:RegisterPullTimeUpdateExclusion',
  deregisterPullTimeUpdateExclusion: 'ecr:DeregisterPullTimeUpdateExclusion',
  listPullTimeUpdateExclusions: 'ecr:ListPullTimeUpdateExclusions',
  startReplicationBackfill: 'ecr:StartReplicationBackfill',
  stopReplicationBackfill: 'ecr:StopReplicationBackfill',
  describeReplicationBackfillResults: 'ecr:DescribeReplicationBackfillResults',
  listReplicationBackfills: 'ecr:ListReplicationBackfills',
} as const;

export type Action = (typeof actions)[keyof typeof actions];

/** The rights in a token's scope, as registry clients name them. */
export type ScopeRight = 'pull' | 'push' | 'delete';

const scopeRights: Readonly<Partial<Record<Action, ScopeRight>>> = {
  [actions.getManifest]: 'pull',
  [actions.getBlob]: 'pull',
  [actions.checkBlob]: 'pull',
  [actions.listTags]: 'pull',
  [actions.describeImages]: 'pull',
  [actions.listRepositories]: 'pull',
  [actions.importUpstream]: 'pull',
  [actions.startUpload]: 'push',
  [actions.appendUpload]: 'push',
  [actions.finishUpload]: 'push',
  [actions.putManifest]: 'push',
  [actions.createRepository]: 'push',
  [actions.delete]: 'delete',
};

/** Which right of a scope an action falls under; `undefined`: no scope grants it. */
export function scopeRightOf(action: Action): ScopeRight | undefined {
  return scopeRights[action];
}
