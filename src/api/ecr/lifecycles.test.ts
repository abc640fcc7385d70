import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { keyOf, push, pushInput } from '../../../tests/contracts/metadata/samples.ts';
import { home } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';

const repositoryName = 'team/app';
const day = 24 * 60 * 60 * 1000;

const rule = {
  rulePriority: 3,
  description: 'what nothing names',
  selection: { tagStatus: 'untagged', countType: 'imageCountMoreThan', countNumber: 1 },
  action: { type: 'expire' },
};
const tagged = {
  rulePriority: 1,
  selection: {
    tagStatus: 'tagged',
    tagPatternList: ['old*'],
    countType: 'sinceImagePulled',
    countUnit: 'days',
    countNumber: 5,
  },
  action: { type: 'transition', targetStorageClass: 'archive' },
};
const lifecyclePolicyText = `${JSON.stringify({ rules: [rule, tagged] }, undefined, 1)}\n`;

const failed = ({ status, json }: AwsAnswer): [number, string, string] => [
  status,
  json.__type,
  json.message,
];

/** `team/app` with three untagged images and one that has a tag, of a week and more ago. */
async function openWithImages(): Promise<AwsRig> {
  const aws = await openAws();
  await aws.ecr('CreateRepository', { repositoryName });
  const now = aws.api.clock.now();
  for (const [name, tags, days] of [
    ['one', [], 9],
    ['two', [], 8],
    ['three', [], 7],
    ['four', ['old-1', 'v1'], 10],
  ] as const)
    await push(aws.api.metadata, pushInput(repositoryName, name, { tags, now: now - days * day }));
  return aws;
}

async function ended(aws: AwsRig, more: object = {}): Promise<AwsAnswer> {
  return await until(async () => {
    const answer = await aws.ecr('GetLifecyclePolicyPreview', { repositoryName, ...more });
    return answer.json.status !== 'IN_PROGRESS' && answer;
  });
}

suite('lifecycle policies', () => {
  test('a policy is answered to the letter by each that puts, gets and deletes it', async () => {
    await using aws = await openWithImages();
    const said = { registryId: home, repositoryName, lifecyclePolicyText };
    const put = await aws.ecr('PutLifecyclePolicy', { repositoryName, lifecyclePolicyText });
    assert.deepEqual([put.status, put.json], [200, said]);
    const got = await aws.ecr('GetLifecyclePolicy', { repositoryName });
    assert.deepEqual([got.status, got.json], [200, said]);
    const key = keyOf(repositoryName);
    const times = { evaluatedAt: 1_700_000_000_123, dueAt: 1_800_000_000_000 };
    await aws.api.metadata.lifecycles.recordEvaluation({
      ...key,
      text: lifecyclePolicyText,
      ...times,
    });
    const evaluated = await aws.ecr('GetLifecyclePolicy', { repositoryName });
    assert.deepEqual(evaluated.json, { ...said, lastEvaluatedAt: 1_700_000_000.123 });
    const deleted = await aws.ecr('DeleteLifecyclePolicy', { repositoryName });
    assert.deepEqual([deleted.status, deleted.json], [200, evaluated.json]);
  });

  const missing = `Lifecycle policy does not exist for the repository with name 'team/app' in the registry with id '${home}'`;
  for (const [operation, code, message] of [
    ['GetLifecyclePolicy', 'LifecyclePolicyNotFoundException', missing],
    ['DeleteLifecyclePolicy', 'LifecyclePolicyNotFoundException', missing],
    ['StartLifecyclePolicyPreview', 'LifecyclePolicyNotFoundException', missing],
    [
      'GetLifecyclePolicyPreview',
      'LifecyclePolicyPreviewNotFoundException',
      `There is no dry run for this repository: 'team/app' in the registry with id '${home}'`,
    ],
  ] as const)
    test(`${operation} says that there is none, and where there is no repository, that`, async () => {
      await using aws = await openWithImages();
      assert.deepEqual(failed(await aws.ecr(operation, { repositoryName })), [400, code, message]);
      assert.deepEqual(failed(await aws.ecr(operation, { repositoryName: 'no/such' })), [
        400,
        'RepositoryNotFoundException',
        `The repository with name 'no/such' does not exist in the registry with id '${home}'`,
      ]);
    });

  for (const [what, text, why] of [
    [
      'no JSON',
      'x'.repeat(100),
      /^Lifecycle policy validation failure: Could not map policyString into LifecyclePolicy/,
    ],
    [
      'no rules',
      `{"rule": []}${' '.repeat(100)}`,
      /^Lifecycle policy validation failure: object instance has properties which are not allowed by the schema: \(\["rule"\]\)/,
    ],
    ['too short', '{}', /^Member must have length greater than or equal to 100$/],
    ['too long', ' '.repeat(30_721), /^Member must have length less than or equal to 30720$/],
  ] as const)
    test(`a text that is ${what} is refused, and nothing is kept`, async () => {
      await using aws = await openWithImages();
      for (const operation of ['PutLifecyclePolicy', 'StartLifecyclePolicyPreview']) {
        const [status, code, message] = failed(
          await aws.ecr(operation, { repositoryName, lifecyclePolicyText: text }),
        );
        assert.deepEqual([status, code], [400, 'InvalidParameterException']);
        const [, constraint = ''] =
          /^Invalid parameter at '[Ll]ifecyclePolicyText' failed to satisfy constraint: '(.*)'$/s.exec(
            message,
          ) ?? [];
        assert.match(constraint, why);
      }
      assert.equal((await aws.ecr('GetLifecyclePolicy', { repositoryName })).status, 400);
      assert.equal((await aws.ecr('GetLifecyclePolicyPreview', { repositoryName })).status, 400);
    });

  for (const operation of [
    'PutLifecyclePolicy',
    'GetLifecyclePolicy',
    'DeleteLifecyclePolicy',
    'StartLifecyclePolicyPreview',
    'GetLifecyclePolicyPreview',
  ])
    test(`${operation} is refused alike whether the repository is there or not`, async () => {
      await using aws = await openWithImages();
      await aws.api.ask('POST users', { body: { name: 'ann' } });
      const refused = async (name: string): Promise<[number, string, string]> => {
        const input = {
          repositoryName: name,
          ...(operation.startsWith('Put') ? { lifecyclePolicyText } : {}),
        };
        const [status, code, message] = failed(await aws.ecr(operation, input, { as: 'ann' }));
        return [status, code, message.replaceAll(name, 'NAME')];
      };
      const here = await refused(repositoryName);
      assert.equal(here[1], 'AccessDeniedException');
      assert.match(here[2], new RegExp(`ecr:${operation}`));
      assert.deepEqual(await refused('no/such'), here);
    });
});

suite('previews of lifecycle policies', () => {
  test('a preview says what would be done to which image, and by which rule', async () => {
    await using aws = await openWithImages();
    const begun = await aws.ecr('StartLifecyclePolicyPreview', {
      repositoryName,
      lifecyclePolicyText,
    });
    const said = { registryId: home, repositoryName, lifecyclePolicyText };
    assert.deepEqual([begun.status, begun.json], [200, { ...said, status: 'IN_PROGRESS' }]);
    const { previewResults, ...rest } = (await ended(aws)).json;
    assert.deepEqual(rest, {
      ...said,
      status: 'COMPLETE',
      summary: {
        expiringImageTotalCount: 2,
        transitioningImageTotalCounts: [{ targetStorageClass: 'ARCHIVE', imageTotalCount: 1 }],
      },
    });
    const digestOf = (name: string): string => pushInput(repositoryName, name).manifest.digest;
    const now = aws.api.clock.now();
    const [first, ...others] = previewResults;
    assert.deepEqual(first, {
      imageTags: ['old-1', 'v1'],
      imageDigest: digestOf('four'),
      imagePushedAt: (now - 10 * day) / 1000,
      action: { type: 'TRANSITION', targetStorageClass: 'ARCHIVE' },
      appliedRulePriority: 1,
      storageClass: 'STANDARD',
    });
    assert.deepEqual(
      new Set(others.map((each: { imageDigest: string }) => each.imageDigest)),
      new Set([digestOf('one'), digestOf('two')]),
    );
    assert.deepEqual(
      { ...others[0], imageDigest: '', imagePushedAt: 0 },
      {
        imageDigest: '',
        imagePushedAt: 0,
        action: { type: 'EXPIRE' },
        appliedRulePriority: 3,
        storageClass: 'STANDARD',
      },
    );
  });

  test('results are filtered by tags and by image, and come page by page', async () => {
    await using aws = await openWithImages();
    await aws.ecr('StartLifecyclePolicyPreview', { repositoryName, lifecyclePolicyText });
    const count = async (more: object): Promise<number> =>
      (await ended(aws, more)).json.previewResults.length;
    assert.equal(await count({ filter: { tagStatus: 'TAGGED' } }), 1);
    assert.equal(await count({ filter: { tagStatus: 'UNTAGGED' } }), 2);
    assert.equal(await count({ filter: { tagStatus: 'ANY' } }), 3);
    const digest = pushInput(repositoryName, 'one').manifest.digest;
    const imageIds = [
      { imageDigest: digest },
      { imageTag: 'v1' },
      { imageTag: 'none' },
      { imageDigest: 'x' },
      {},
    ];
    assert.equal(await count({ imageIds }), 2);
    assert.equal(await count({ imageIds, filter: { tagStatus: 'TAGGED' } }), 1);
    const first = (await ended(aws, { maxResults: 2 })).json;
    assert.equal(first.previewResults.length, 2);
    const { nextToken } = first;
    const second = (await ended(aws, { nextToken, maxResults: 2 })).json;
    assert.deepEqual([second.previewResults.length, second.nextToken], [1, undefined]);
    await aws.ecr('CreateRepository', { repositoryName: 'team/web' });
    const body = { repositoryName: 'team/web', lifecyclePolicyText };
    await aws.ecr('StartLifecyclePolicyPreview', body);
    const other = await aws.ecr('GetLifecyclePolicyPreview', { ...body, nextToken });
    assert.equal(other.json.__type, 'InvalidParameterException');
    const both = await aws.ecr('GetLifecyclePolicyPreview', {
      repositoryName,
      imageIds,
      nextToken,
    });
    assert.equal(both.json.__type, 'InvalidParameterException');
    const many = await aws.ecr('GetLifecyclePolicyPreview', { repositoryName, maxResults: 101 });
    assert.equal(many.json.__type, 'InvalidParameterException');
  });

  test('a second preview of a repository is refused while one is under way', async () => {
    await using aws = await openWithImages();
    const times = { now: aws.api.clock.now(), staleBefore: 0 };
    const begun = { ...keyOf(repositoryName), id: 'x', text: lifecyclePolicyText, ...times };
    await aws.api.metadata.lifecycles.beginPreview(begun);
    const again = await aws.ecr('StartLifecyclePolicyPreview', {
      repositoryName,
      lifecyclePolicyText,
    });
    assert.deepEqual(failed(again), [
      400,
      'LifecyclePolicyPreviewInProgressException',
      `The preview of the lifecycle policy is in progress for the repository with name 'team/app' in the registry with id '${home}'`,
    ]);
  });
});
