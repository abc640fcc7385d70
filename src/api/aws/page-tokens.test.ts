import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { push, pushInput } from '../../../tests/contracts/metadata/samples.ts';
import { home } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { askCall } from '../../../tests/support/samples/changing-calls.ts';
import type { ChangingCall } from '../../../tests/support/samples/changing-calls.ts';

type Service = ChangingCall['service'];

/** A list that comes in pages, and how something in it is made and unmade. */
interface PagedList {
  readonly service: Service;
  readonly operation: string;
  /** Beside the page; the second lists otherwise, or something else. */
  readonly input: object;
  readonly others: readonly object[];
  /** What is there before anything is listed. */
  readonly before?: readonly (readonly [operation: string, input: object])[];
  readonly add: (aws: AwsRig, index: number) => Promise<unknown>;
  /** Absent: what is in it goes by time alone. */
  readonly remove?: (aws: AwsRig, index: number) => Promise<unknown>;
  /** As the answer names what was made as that. */
  readonly nameOf: (index: number) => string;
  readonly named: (answer: AwsAnswer) => readonly string[];
  readonly refused: string;
}

const repositoryName = 'team/app';
const UserName = 'mia';
const arnOf = (index: number): string => `arn:aws:iam::${home}:user/u${index}`;
/** Long enough that no token has it by chance. */
const nameOf = (index: number): string => `named-${index}`;
const token = (index: number): string => `n${index}`.padStart(36, '0');
const policy =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}';

const roleOf = (RoleName: string): object => ({
  RoleName,
  AssumeRolePolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::${home}:root"},"Action":"sts:AssumeRole"}]}`,
});

const imageOf = (index: number): string =>
  pushInput(repositoryName, nameOf(index), { tags: [nameOf(index)] }).manifest.digest;

const call =
  (service: Service, operation: string, input: (index: number) => object) =>
  (aws: AwsRig, index: number): Promise<AwsAnswer> =>
    askCall(aws, service, operation, input(index));

const listed =
  (member: string, name: string | undefined) =>
  ({ json, text }: AwsAnswer): string[] => {
    assert.ok(json !== undefined && Array.isArray(json[member]), text);
    return (json[member] as (string | Record<string, string>)[]).map((each) =>
      typeof each === 'string' ? each : (each[name ?? ''] ?? ''),
    );
  };

const inXml =
  (name: string) =>
  ({ status, text }: AwsAnswer): string[] => {
    assert.equal(status, 200, text);
    return [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((m) => m[1] ?? '');
  };

const ecrLists: readonly Omit<PagedList, 'service' | 'refused'>[] = [
  {
    operation: 'DescribeRepositories',
    input: {},
    others: [],
    add: call('ecr', 'CreateRepository', (index) => ({ repositoryName: nameOf(index) })),
    remove: call('ecr', 'DeleteRepository', (index) => ({ repositoryName: nameOf(index) })),
    nameOf,
    named: listed('repositories', 'repositoryName'),
  },
  {
    operation: 'DescribePullThroughCacheRules',
    input: {},
    others: [],
    add: call('ecr', 'CreatePullThroughCacheRule', (index) => ({
      ecrRepositoryPrefix: nameOf(index),
      upstreamRegistryUrl: 'registry.k8s.io',
    })),
    remove: call('ecr', 'DeletePullThroughCacheRule', (index) => ({
      ecrRepositoryPrefix: nameOf(index),
    })),
    nameOf,
    named: listed('pullThroughCacheRules', 'ecrRepositoryPrefix'),
  },
  {
    operation: 'DescribeRepositoryCreationTemplates',
    input: {},
    others: [],
    add: call('ecr', 'CreateRepositoryCreationTemplate', (index) => ({
      prefix: nameOf(index),
      appliedFor: ['REPLICATION'],
    })),
    remove: call('ecr', 'DeleteRepositoryCreationTemplate', (index) => ({ prefix: nameOf(index) })),
    nameOf,
    named: listed('repositoryCreationTemplates', 'prefix'),
  },
  {
    operation: 'ListPullTimeUpdateExclusions',
    input: {},
    others: [],
    add: call('ecr', 'RegisterPullTimeUpdateExclusion', (index) => ({
      principalArn: arnOf(index),
    })),
    remove: call('ecr', 'DeregisterPullTimeUpdateExclusion', (index) => ({
      principalArn: arnOf(index),
    })),
    nameOf: arnOf,
    named: listed('pullTimeUpdateExclusions', undefined),
  },
  ...['ListImages', 'DescribeImages'].map((operation) => ({
    operation,
    input: { repositoryName },
    others: [{ repositoryName, filter: { tagStatus: 'TAGGED' } }, { repositoryName: 'team/other' }],
    before: [
      ['CreateRepository', { repositoryName }],
      ['CreateRepository', { repositoryName: 'team/other' }],
    ] as const,
    add: (aws: AwsRig, index: number) =>
      push(aws.api.metadata, pushInput(repositoryName, nameOf(index), { tags: [nameOf(index)] })),
    remove: call('ecr', 'BatchDeleteImage', (index) => ({
      repositoryName,
      imageIds: [{ imageDigest: imageOf(index) }],
    })),
    nameOf: imageOf,
    named: listed(operation === 'ListImages' ? 'imageIds' : 'imageDetails', 'imageDigest'),
  })),
];

const secretLists: readonly Omit<PagedList, 'service' | 'refused'>[] = [
  ...['asc', 'desc'].map((SortOrder) => ({
    operation: 'ListSecrets',
    input: { SortOrder },
    others: [
      { SortOrder: SortOrder === 'asc' ? 'desc' : 'asc' },
      { SortOrder, Filters: [{ Key: 'name', Values: ['n'] }] },
    ],
    add: call('secretsmanager', 'CreateSecret', (index) => ({ Name: nameOf(index) })),
    remove: call('secretsmanager', 'DeleteSecret', (index) => ({
      SecretId: nameOf(index),
      ForceDeleteWithoutRecovery: true,
    })),
    nameOf,
    named: listed('SecretList', 'Name'),
  })),
  {
    operation: 'ListSecretVersionIds',
    input: { SecretId: 's', IncludeDeprecated: true },
    others: [{ SecretId: 's' }, { SecretId: 't', IncludeDeprecated: true }],
    before: [
      ['CreateSecret', { Name: 's' }],
      ['CreateSecret', { Name: 't' }],
    ],
    add: call('secretsmanager', 'PutSecretValue', (index) => ({
      SecretId: 's',
      SecretString: 'v',
      ClientRequestToken: token(index),
      VersionStages: [nameOf(index)],
    })),
    nameOf: token,
    named: listed('Versions', 'VersionId'),
  },
];

const iamLists: readonly Omit<PagedList, 'service' | 'refused'>[] = [
  {
    operation: 'ListUsers',
    input: {},
    others: [],
    add: call('iam', 'CreateUser', (index) => ({ UserName: nameOf(index) })),
    remove: call('iam', 'DeleteUser', (index) => ({ UserName: nameOf(index) })),
    nameOf,
    named: inXml('UserName'),
  },
  {
    operation: 'ListUserTags',
    input: { UserName },
    others: [{ UserName: 'ann' }],
    before: [
      ['CreateUser', { UserName }],
      ['CreateUser', { UserName: 'ann' }],
    ],
    add: call('iam', 'TagUser', (index) => ({
      UserName,
      Tags: [{ Key: nameOf(index), Value: '' }],
    })),
    remove: call('iam', 'UntagUser', (index) => ({ UserName, TagKeys: [nameOf(index)] })),
    nameOf,
    named: inXml('Key'),
  },
  {
    operation: 'ListUserPolicies',
    input: { UserName },
    others: [{ UserName: 'ann' }],
    before: [
      ['CreateUser', { UserName }],
      ['CreateUser', { UserName: 'ann' }],
    ],
    add: call('iam', 'PutUserPolicy', (index) => ({
      UserName,
      PolicyName: nameOf(index),
      PolicyDocument: policy,
    })),
    remove: call('iam', 'DeleteUserPolicy', (index) => ({ UserName, PolicyName: nameOf(index) })),
    nameOf,
    named: (answer) => inXml('member')(answer),
  },
  {
    operation: 'ListRoles',
    input: {},
    others: [],
    add: call('iam', 'CreateRole', (index) => roleOf(nameOf(index))),
    remove: call('iam', 'DeleteRole', (index) => ({ RoleName: nameOf(index) })),
    nameOf,
    named: inXml('RoleName'),
  },
  {
    operation: 'ListRoleTags',
    input: { RoleName: 'r' },
    others: [{ RoleName: 's' }],
    before: [
      ['CreateRole', roleOf('r')],
      ['CreateRole', roleOf('s')],
    ],
    add: call('iam', 'TagRole', (index) => ({
      RoleName: 'r',
      Tags: [{ Key: nameOf(index), Value: '' }],
    })),
    remove: call('iam', 'UntagRole', (index) => ({ RoleName: 'r', TagKeys: [nameOf(index)] })),
    nameOf,
    named: inXml('Key'),
  },
  {
    operation: 'ListPolicies',
    input: { Scope: 'Local' },
    others: [],
    add: call('iam', 'CreatePolicy', (index) => ({
      PolicyName: nameOf(index),
      PolicyDocument: policy,
    })),
    remove: call('iam', 'DeletePolicy', (index) => ({
      PolicyArn: `arn:aws:iam::${home}:policy/${nameOf(index)}`,
    })),
    nameOf,
    named: inXml('PolicyName'),
  },
];

const lists: readonly PagedList[] = [
  ...ecrLists.map((each) => ({
    ...each,
    service: 'ecr' as const,
    refused: 'InvalidParameterException',
  })),
  ...secretLists.map((each) => ({
    ...each,
    service: 'secretsmanager' as const,
    refused: 'InvalidNextTokenException',
  })),
  ...iamLists.map((each) => ({ ...each, service: 'iam' as const, refused: 'ValidationError' })),
];

/** Lists of which no page token is asked for here: tests of their own page them. */
const elsewhere: ReadonlySet<string> = new Set([
  // Results of one run, which nothing changes.
  'GetLifecyclePolicyPreview',
  'ListImageReferrers',
  // As those of users and of roles, by the same function, of fewer than are tried here.
  'ListRolePolicies',
  'ListPolicyTags',
  'ListPolicyVersions',
  'ListAttachedRolePolicies',
  'ListEntitiesForPolicy',
  'ListInstanceProfilesForRole',
  // Never more than one page.
  'ListAccessKeys',
  'ListGroupsForUser',
  'ListAttachedUserPolicies',
  'ListReplicationBackfills',
  'DescribeReplicationBackfillResults',
  'DescribeImageScanFindings',
  'BatchGetSecretValue',
]);

const pages: Readonly<Record<Service, readonly [size: string, token: string]>> = {
  ecr: ['maxResults', 'nextToken'],
  secretsmanager: ['MaxResults', 'NextToken'],
  iam: ['MaxItems', 'Marker'],
};

function page(
  aws: AwsRig,
  { service, operation }: PagedList,
  input: object,
  size: number,
  at: string | undefined,
): Promise<AwsAnswer> {
  const [most, next] = pages[service];
  const asked = { ...input, [most]: size, ...(at === undefined ? {} : { [next]: at }) };
  return askCall(aws, service, operation, asked);
}

function nextOf({ service }: PagedList, { json, text }: AwsAnswer): string | undefined {
  if (service === 'iam') return /<Marker>([^<]*)<\/Marker>/.exec(text)?.[1];
  return json[pages[service][1]] as string | undefined;
}

function codeOf({ json, text }: AwsAnswer): string {
  return json?.__type ?? /<Code>([^<]*)</.exec(text)?.[1] ?? `answered ${text}`;
}

async function open(list: PagedList): Promise<AwsRig> {
  const aws = await openAws({ configured: [] });
  for (const [operation, input] of list.before ?? [])
    assert.equal((await askCall(aws, list.service, operation, input)).status, 200);
  return aws;
}

const count = 12;
const indexes = fc.uniqueArray(fc.nat(count - 1), { maxLength: count });
const change = fc.record({ add: fc.boolean(), index: fc.nat(count - 1) });

suite('a list in pages', () => {
  test('is tried of every operation that has them', async () => {
    await using aws = await openAws();
    const tried = new Set(lists.map(({ operation }) => operation));
    const missing: string[] = [];
    for (const { name, rows, model } of aws.services)
      for (const operation of rows.keys()) {
        const { operations, shapes } = await model();
        const members = shapes[operations[operation]?.input ?? '']?.members ?? {};
        const isPaged = ['nextToken', 'NextToken', 'Marker'].some((each) => members[each]);
        if (isPaged && !tried.has(operation) && !elsewhere.has(operation))
          missing.push(`${name} ${operation}`);
      }
    assert.deepEqual(missing, []);
  });

  for (const list of lists) {
    const { operation, add, remove } = list;
    const title = `${operation} ${JSON.stringify(list.input)}`;
    test(`${title} names nothing twice and misses nothing that stays, whatever comes and goes meanwhile`, async () => {
      await using aws = await open(list);
      const there = new Set<number>();
      const apply = async (index: number, wanted: boolean): Promise<void> => {
        if (there.has(index) === wanted || (!wanted && remove === undefined)) return;
        await (wanted ? add : remove)?.(aws, index);
        if (wanted) there.add(index);
        else there.delete(index);
        aws.api.clock.advance(1);
      };
      const property = fc.asyncProperty(
        indexes,
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.array(change, { maxLength: 3 }), { maxLength: 6 }),
        async (initial, size, changes) => {
          for (let index = 0; index < count; index += 1)
            await apply(index, initial.includes(index));
          const stayed = new Set(there);
          // One that is made again is another one, in some lists at another place.
          const gone = new Set<number>();
          const seen: string[] = [];
          let at: string | undefined;
          for (let turn = 0; turn < 50; turn += 1) {
            const answer = await page(aws, list, list.input, size, at);
            const names = list.named(answer);
            assert.ok(names.length <= size);
            seen.push(...names);
            at = nextOf(list, answer);
            if (at === undefined) break;
            for (const { add: wanted, index } of changes[turn] ?? []) {
              if (wanted && gone.has(index)) continue;
              await apply(index, wanted);
              if (wanted || remove === undefined) continue;
              stayed.delete(index);
              gone.add(index);
            }
          }
          assert.equal(at, undefined, 'an end');
          assert.equal(new Set(seen).size, seen.length, `twice: ${seen.join(' ')}`);
          for (const index of stayed) assert.ok(seen.includes(list.nameOf(index)), `${index}`);
        },
      );
      await fc.assert(property, { numRuns: 12 });
    });

    test(`${title} takes no token that was changed, nor one of another list`, async () => {
      await using aws = await open(list);
      for (const index of [0, 1, 2]) await add(aws, index);
      const first = await page(aws, list, list.input, 1, undefined);
      const good = nextOf(list, first) ?? assert.fail('no token');
      const told = async (text: string, input = list.input): Promise<string> => {
        const answer = await page(aws, list, input, 1, text);
        return answer.status === 200 ? `taken: ${text}` : codeOf(answer);
      };
      assert.match(await told(good), /^taken/);
      for (const name of [first, list.nameOf(0)].map(String))
        assert.equal(Buffer.from(good, 'base64url').toString('latin1').includes(name), false);
      for (const other of list.others) assert.equal(await told(good, other), list.refused);
      const changed = fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.integer({ min: 1, max: 63 }),
        async (at, by) => {
          const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
          const letter = alphabet[(alphabet.indexOf(good[at] ?? '') + by) % 64] ?? '';
          const text = `${good.slice(0, at)}${letter}${good.slice(at + 1)}`;
          assert.equal(await told(text), list.refused);
        },
      );
      await fc.assert(changed, { numRuns: 100 });
      for (const text of [good.slice(1), good.slice(0, -1), `${good}A`, good + good, 'x', '!'])
        assert.equal(await told(text), list.refused, text);
    });
  }

  test('is of one operation, registry and account: a token of one is none of another', async () => {
    await using aws = await openAws({ configured: [] });
    for (const name of ['a1', 'a2', 'a3'])
      await aws.ecr('CreateRepository', { repositoryName: name });
    const { nextToken } = (await aws.ecr('DescribeRepositories', { maxResults: 1 })).json;
    const asked = { maxResults: 1, nextToken };
    for (const answer of [
      await aws.ecr('DescribePullThroughCacheRules', asked),
      await aws.ecr('DescribeRepositories', asked, { region: 'eu-west-1' }),
      await aws.ecr('DescribeRepositories', asked, { as: 'other' }),
    ])
      assert.equal(codeOf(answer), 'InvalidParameterException');
    const hidden = await aws.ecr('DescribeRepositories', asked, { as: 'nobody' });
    assert.deepEqual(hidden.json.repositories, [], 'whoever has a token sees no more by it');
  });
});
