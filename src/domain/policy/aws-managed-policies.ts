import { awsAccount, managedPolicyArn } from './managed-policy.ts';

/** A policy of AWS's, as it stands at every account. */
export interface AwsManagedPolicy {
  readonly arn: string;
  readonly name: string;
  readonly path: string;
  readonly description: string;
  readonly version: number;
  /** Wall ms. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly text: string;
}

const reads = [
  'ecr:GetAuthorizationToken',
  'ecr:BatchCheckLayerAvailability',
  'ecr:GetDownloadUrlForLayer',
  'ecr:GetRepositoryPolicy',
  'ecr:DescribeRepositories',
  'ecr:ListImages',
  'ecr:DescribeImages',
  'ecr:BatchGetImage',
  'ecr:GetLifecyclePolicy',
  'ecr:GetLifecyclePolicyPreview',
  'ecr:ListTagsForResource',
  'ecr:DescribeImageScanFindings',
];
const pushes = [
  'ecr:InitiateLayerUpload',
  'ecr:UploadLayerPart',
  'ecr:CompleteLayerUpload',
  'ecr:PutImage',
];
const publicReads = [
  'ecr-public:GetAuthorizationToken',
  'sts:GetServiceBearerToken',
  'ecr-public:BatchCheckLayerAvailability',
  'ecr-public:GetRepositoryPolicy',
  'ecr-public:DescribeRepositories',
  'ecr-public:DescribeRegistries',
  'ecr-public:DescribeImages',
  'ecr-public:DescribeImageTags',
  'ecr-public:GetRepositoryCatalogData',
  'ecr-public:GetRegistryCatalogData',
];
const publicPushes = pushes.map((action) => action.replace('ecr:', 'ecr-public:'));

/** ECR's, with the statements that AWS publishes (AWS Managed Policy Reference Guide). */
const ofEcr: readonly AwsManagedPolicy[] = [
  policy({
    name: 'AmazonEC2ContainerRegistryFullAccess',
    description: 'Provides administrative access to Amazon ECR resources',
    version: 3,
    createdAt: '2015-12-21T17:06:48Z',
    updatedAt: '2020-12-05T00:04:19Z',
    statements: [
      allow(['ecr:*', 'cloudtrail:LookupEvents']),
      {
        ...allow(['iam:CreateServiceLinkedRole']),
        Condition: {
          StringEquals: { 'iam:AWSServiceName': ['replication.ecr.amazonaws.com'] },
        },
      },
    ],
  }),
  policy({
    name: 'AmazonEC2ContainerRegistryPowerUser',
    description:
      'Provides full access to Amazon EC2 Container Registry repositories, but does not allow repository deletion or policy changes.',
    version: 3,
    createdAt: '2015-12-21T17:05:33Z',
    updatedAt: '2019-12-10T20:48:22Z',
    statements: [allow([...reads, ...pushes])],
  }),
  policy({
    name: 'AmazonEC2ContainerRegistryPullOnly',
    description: 'Provides access to pull images from Amazon EC2 Container Registry repositories.',
    version: 1,
    createdAt: '2024-10-04T16:58:49Z',
    updatedAt: '2024-10-04T16:58:49Z',
    statements: [
      allow([
        'ecr:GetAuthorizationToken',
        'ecr:BatchGetImage',
        'ecr:GetDownloadUrlForLayer',
        'ecr:BatchImportUpstreamImage',
      ]),
    ],
  }),
  policy({
    name: 'AmazonEC2ContainerRegistryReadOnly',
    description: 'Provides read-only access to Amazon EC2 Container Registry repositories.',
    version: 3,
    createdAt: '2015-12-21T17:04:15Z',
    updatedAt: '2019-12-10T20:56:32Z',
    statements: [allow(reads)],
  }),
  policy({
    name: 'AmazonElasticContainerRegistryPublicFullAccess',
    description: 'Provides administrative access to Amazon ECR Public resources',
    version: 1,
    createdAt: '2020-12-01T17:25:52Z',
    updatedAt: '2020-12-01T17:25:52Z',
    statements: [allow(['ecr-public:*', 'sts:GetServiceBearerToken'])],
  }),
  policy({
    name: 'AmazonElasticContainerRegistryPublicPowerUser',
    description:
      'Provides full access to Amazon ECR Public repositories, but does not allow repository deletion or policy changes.',
    version: 1,
    createdAt: '2020-12-01T16:16:54Z',
    updatedAt: '2020-12-01T16:16:54Z',
    statements: [allow([...publicReads, ...publicPushes])],
  }),
  policy({
    name: 'AmazonElasticContainerRegistryPublicReadOnly',
    description: 'Provides read-only access to Amazon ECR Public repositories.',
    version: 1,
    createdAt: '2020-12-01T17:27:04Z',
    updatedAt: '2020-12-01T17:27:04Z',
    statements: [allow(publicReads)],
  }),
];

/** Of services that are not here: what modules attach to the roles of nodes. They allow nothing of ECR at AWS, and nothing at all here. */
const ofNodes: readonly AwsManagedPolicy[] = [
  empty('AmazonEKSClusterPolicy', { version: 6, createdAt: '2018-05-27T21:06:00Z' }),
  empty('AmazonEKSServicePolicy', { version: 5, createdAt: '2018-05-27T21:08:00Z' }),
  empty('AmazonEKSVPCResourceController', { version: 1, createdAt: '2020-08-12T00:55:00Z' }),
  empty('AmazonEKSWorkerNodeMinimalPolicy', { version: 1, createdAt: '2024-10-03T00:03:00Z' }),
  empty('AmazonEKSWorkerNodePolicy', { version: 3, createdAt: '2018-05-27T21:09:00Z' }),
  empty('AmazonEKS_CNI_Policy', { version: 5, createdAt: '2018-05-27T21:07:00Z' }),
  empty('AmazonSSMManagedInstanceCore', { version: 2, createdAt: '2019-03-15T17:22:00Z' }),
  empty('AmazonSSMPatchAssociation', { version: 1, createdAt: '2020-05-13T16:00:00Z' }),
  empty('CloudWatchAgentServerPolicy', { version: 3, createdAt: '2018-03-07T01:06:00Z' }),
  empty('AmazonEBSCSIDriverPolicy', {
    path: '/service-role/',
    version: 3,
    createdAt: '2022-04-04T17:24:00Z',
  }),
];

/** By ARN. */
export const awsManagedPolicies: ReadonlyMap<string, AwsManagedPolicy> = new Map(
  [...ofEcr, ...ofNodes].map((each) => [each.arn, each]),
);

interface Facts {
  readonly name: string;
  readonly path?: string;
  readonly description: string;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly statements: readonly object[];
}

function policy(facts: Facts): AwsManagedPolicy {
  const { name, path = '/', description, version, statements } = facts;
  return {
    arn: managedPolicyArn({ account: awsAccount, path, name }),
    name,
    path,
    description,
    version,
    createdAt: Date.parse(facts.createdAt),
    updatedAt: Date.parse(facts.updatedAt),
    text: JSON.stringify({ Version: '2012-10-17', Statement: statements }),
  };
}

function allow(actions: readonly string[]): object {
  return { Effect: 'Allow', Action: actions, Resource: '*' };
}

function empty(
  name: string,
  rest: Pick<Facts, 'path' | 'version' | 'createdAt'>,
): AwsManagedPolicy {
  return policy({
    ...rest,
    name,
    description: 'Of services that Breakwater does not have: it allows nothing here',
    updatedAt: rest.createdAt,
    // An action that no service has: a policy must hold a statement.
    statements: [allow(['none:null'])],
  });
}
