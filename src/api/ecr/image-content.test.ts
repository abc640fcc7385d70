import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { push, pushInput } from '../../../tests/contracts/metadata/samples.ts';
import { home } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { createFakeCache } from '../../../tests/support/rigs/fake-cache.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';

const repositoryName = 'team/app';
const digest = digestOf('one');
const imageId = { imageTag: 'v1' };

const failed = ({ status, json }: AwsAnswer): [number, string, string] => [
  status,
  json.__type,
  json.message,
];

/** Each operation on images with an input that its model admits. */
const operations: Readonly<Record<string, object>> = {
  BatchGetImage: { imageIds: [imageId] },
  BatchDeleteImage: { imageIds: [imageId] },
  PutImage: { imageManifest: '{}' },
  ListImageReferrers: { subjectId: { imageDigest: digest } },
  DescribeImageReplicationStatus: { imageId },
  DescribeImageSigningStatus: { imageId },
  StartImageScan: { imageId },
  DescribeImageScanFindings: { imageId },
  UpdateImageStorageClass: { imageId, targetStorageClass: 'ARCHIVE' },
  BatchCheckLayerAvailability: { layerDigests: [digest] },
  GetDownloadUrlForLayer: { layerDigest: digest },
  InitiateLayerUpload: {},
  UploadLayerPart: {
    uploadId: '00000000-0000-4000-8000-000000000000',
    partFirstByte: 0,
    partLastByte: 2,
    layerPartBlob: 'YWJj',
  },
  CompleteLayerUpload: {
    uploadId: '00000000-0000-4000-8000-000000000000',
    layerDigests: [digest],
  },
};

suite('operations on images', () => {
  for (const [operation, input] of Object.entries(operations))
    test(`${operation} is refused alike whether the repository is there or not, under its own name`, async () => {
      await using aws = await openAws();
      await push(aws.api.metadata, pushInput(repositoryName, 'one', { tags: ['v1'] }));
      await aws.api.ask('POST users', { body: { name: 'ann' } });
      const refused = async (name: string): Promise<unknown[]> => {
        const asked = { repositoryName: name, ...input };
        const [status, code, message] = failed(await aws.ecr(operation, asked, { as: 'ann' }));
        return [status, code, message.replaceAll(name, 'NAME')];
      };
      const here = await refused(repositoryName);
      const action = operation === 'ListImageReferrers' ? 'BatchGetImage' : operation;
      assert.deepEqual(here, [
        400,
        'AccessDeniedException',
        `User: arn:aws:iam::${home}:user/ann is not authorized to perform: ecr:${action} on resource: arn:aws:ecr:us-east-1:${home}:repository/NAME because no identity-based policy allows the ecr:${action} action`,
      ]);
      assert.deepEqual(await refused('no/such'), here);
    });

  const upstream = (kind: UpstreamFailure['kind']): RegistryError =>
    answerOf(
      new UpstreamFailure('failed', { kind, reason: 'status', upstream: 'up.test' } as never),
      'manifest',
    );
  for (const [what, failure, code] of [
    ['denies', upstream('denied'), 'UpstreamAccessDenied'],
    ['limits', upstream('rateLimited'), 'UpstreamTooManyRequests'],
    ['cannot be reached', upstream('network'), 'UpstreamUnavailable'],
    ['is too slow', upstream('timeout'), 'UpstreamUnavailable'],
    ['gives nonsense', upstream('invalid'), 'UpstreamUnavailable'],
  ] as const)
    test(`an image whose upstream ${what} is a failure of its own, ${code}`, async () => {
      const cache = createFakeCache();
      cache.failure = failure;
      await using aws = await openAws({ cache });
      const imageIds = [imageId];
      const { status, json } = await aws.ecr('BatchGetImage', { repositoryName: 'up/a', imageIds });
      assert.equal(status, 200);
      assert.deepEqual(json.images, []);
      assert.deepEqual([json.failures[0].imageId, json.failures[0].failureCode], [imageId, code]);
    });

  test('what has failed here, and not upstream, fails the whole call', async () => {
    const cache = createFakeCache();
    await using aws = await openAws({ cache });
    for (const [failure, status] of [
      [new RegistryError('storageFull', 'full'), 500],
      [new RegistryError('tooManyRequests', 'too much at once'), 400],
    ] as const) {
      cache.failure = failure;
      const input = { repositoryName: 'up/a', imageIds: [imageId] };
      assert.equal((await aws.ecr('BatchGetImage', input)).status, status);
    }
  });

  test('a repository with images is deleted with force alone, and whoever is refused is told how', async () => {
    await using aws = await openAws();
    await push(aws.api.metadata, pushInput(repositoryName, 'one', { tags: ['v1'] }));
    const [status, code, message] = failed(await aws.ecr('DeleteRepository', { repositoryName }));
    assert.deepEqual([status, code], [400, 'RepositoryNotEmptyException']);
    assert.match(message, /still contains images \(--force .*breakwater repos rm --prefix/);
    const input = { repositoryName, force: true };
    assert.equal((await aws.ecr('DeleteRepository', input)).status, 200);
  });

  test('a manifest is got in its exact text, by tag, digest or both', async () => {
    const cache = createFakeCache();
    const text = '{ "schemaVersion": 2,\n "ä": 1 }';
    const held = cache.addManifest('up/a', 'v1', 'application/vnd.test', text);
    await using aws = await openAws({ cache });
    for (const id of [imageId, { imageDigest: held }, { ...imageId, imageDigest: held }]) {
      const input = { repositoryName: 'up/a', imageIds: [id] };
      const { json } = await aws.ecr('BatchGetImage', input);
      assert.deepEqual(json, {
        images: [
          {
            registryId: home,
            repositoryName: 'up/a',
            imageId: { ...id, imageDigest: held },
            imageManifest: text,
            imageManifestMediaType: 'application/vnd.test',
          },
        ],
        failures: [],
      });
    }
  });

  const ofLargeManifests = (): Promise<AwsRig> => {
    const cache = createFakeCache();
    for (let n = 0; n < 5; n += 1)
      cache.addManifest('up/a', `v${n}`, 'm', `${n}${' '.repeat(4 * 1024 * 1024 - 1)}`);
    return openAws({ cache });
  };

  test('manifests of more than 16 MiB together are too many for one call', async () => {
    await using aws = await ofLargeManifests();
    const ask = (count: number) =>
      aws.ecr('BatchGetImage', {
        repositoryName: 'up/a',
        imageIds: Array.from({ length: count }, (_, n) => ({ imageTag: `v${n}` })),
      });
    assert.equal((await ask(4)).json.images.length, 4);
    assert.deepEqual(failed(await ask(5)).slice(0, 2), [400, 'LimitExceededException']);
  });

  test('calls of one client that hold more than 32 MiB at once are throttled, and none after them', async () => {
    await using aws = await ofLargeManifests();
    const imageIds = Array.from({ length: 4 }, (_, n) => ({ imageTag: `v${n}` }));
    const ask = () => aws.ecr('BatchGetImage', { repositoryName: 'up/a', imageIds });
    const answers = await Promise.all([ask(), ask(), ask()]);
    const throttled = answers.filter(({ status }) => status !== 200);
    assert.ok(throttled.length > 0 && throttled.length < 3, `${throttled.length} of 3`);
    for (const { json } of throttled) assert.equal(json.__type, 'ThrottlingException');
    assert.equal((await ask()).status, 200);
  });
});
