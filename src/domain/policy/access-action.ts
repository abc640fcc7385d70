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
  getRegistryPolicy: 'ecr:GetRegistryPolicy',
  putRegistryPolicy: 'ecr:PutRegistryPolicy',
  deleteRegistryPolicy: 'ecr:DeleteRegistryPolicy',
  getAuthorizationToken: 'ecr:GetAuthorizationToken',
} as const;

export type Action = (typeof actions)[keyof typeof actions];

/** The rights in a token's scope, as registry clients name them. */
export type ScopeRight = 'pull' | 'push' | 'delete';

/** Which right of a scope an action falls under; `undefined`: no scope grants it. */
export function scopeRightOf(action: Action): ScopeRight | undefined {
  switch (action) {
    case actions.getManifest:
    case actions.getBlob:
    case actions.checkBlob:
    case actions.listTags:
    case actions.describeImages:
    case actions.listRepositories:
    case actions.importUpstream:
      return 'pull';
    case actions.startUpload:
    case actions.appendUpload:
    case actions.finishUpload:
    case actions.putManifest:
    case actions.createRepository:
      return 'push';
    case actions.delete:
      return 'delete';
    case actions.deleteRepository:
    case actions.setTagMutability:
    case actions.getRepositoryPolicy:
    case actions.setRepositoryPolicy:
    case actions.deleteRepositoryPolicy:
    case actions.getRegistryPolicy:
    case actions.putRegistryPolicy:
    case actions.deleteRegistryPolicy:
    case actions.getAuthorizationToken:
      return undefined;
  }
}
