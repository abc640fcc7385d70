import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { indexInput, push, pushInput } from '../../../tests/contracts/metadata/samples.ts';
import { home } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const repositoryName = 'team/app';

const failed = ({ status, json }: AwsAnswer): [number, string, string] => [
  status,
  json.__type,
  json.message,
];

/** `team/app` with an index of one image without a tag, and an image of two tags. */
async function openWithImages() {
  const aws = await openAws();
  const child = pushInput(repositoryName, 'child', { now: 1500 });
  const index = indexInput(repositoryName, [child], { now: 2500, tags: ['multi'] });
  const plain = pushInput(repositoryName, 'plain', { now: 3000, tags: ['v1', 'v2'] });
  for (const input of [child, index, plain]) await push(aws.api.metadata, input);
  const digests = {
    child: child.manifest.digest,
    index: index.manifest.digest,
    plain: plain.manifest.digest,
  };
  return Object.assign(aws, { digests, size: plain.manifest.bytes.byteLength + 210 });
}

async function whole(aws: AwsRig, operation: string, member: string, maxResults: number) {
  const found: unknown[] = [];
  let nextToken: string | undefined;
  do {
    const { status, json, text } = await aws.ecr(operation, {
      repositoryName,
      maxResults,
      ...(nextToken === undefined ? {} : { nextToken }),
    });
    assert.equal(status, 200, text);
    assert.ok(json[member].length <= maxResults);
    found.push(...json[member]);
    ({ nextToken } = json);
  } while (nextToken !== undefined);
  return found;
}

suite('lists of images', () => {
  test('an image is listed once for each tag, and by its digest alone where it has none, as children of an index have', async () => {
    await using aws = await openWithImages();
    const { child, index, plain } = aws.digests;
    const expected = [
      { imageDigest: child },
      { imageDigest: index, imageTag: 'multi' },
      { imageDigest: plain, imageTag: 'v1' },
      { imageDigest: plain, imageTag: 'v2' },
    ].toSorted((one, other) =>
      one.imageDigest === other.imageDigest ? 0 : one.imageDigest < other.imageDigest ? -1 : 1,
    );
    for (const size of [1, 2, 3, 100])
      assert.deepEqual(await whole(aws, 'ListImages', 'imageIds', size), expected, `${size}`);
  });

  test('an image is described with all that is known of it, and nothing that is not', async () => {
    await using aws = await openWithImages();
    const { plain, child } = aws.digests;
    const { status, json } = await aws.ecr('DescribeImages', {
      repositoryName,
      imageIds: [
        { imageTag: 'v2' },
        { imageDigest: child },
        { imageDigest: plain, imageTag: 'v1' },
      ],
    });
    assert.equal(status, 200);
    assert.deepEqual(json, {
      imageDetails: [
        {
          registryId: home,
          repositoryName,
          imageDigest: plain,
          imageTags: ['v1', 'v2'],
          imageSizeInBytes: aws.size,
          imagePushedAt: 3,
          imageManifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
          artifactMediaType: 'application/vnd.oci.image.config.v1+json',
          imageStatus: 'ACTIVE',
        },
        {
          registryId: home,
          repositoryName,
          imageDigest: child,
          imageSizeInBytes: aws.size,
          imagePushedAt: 1.5,
          imageManifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
          artifactMediaType: 'application/vnd.oci.image.config.v1+json',
          imageStatus: 'ACTIVE',
        },
      ],
    });
    const all = await whole(aws, 'DescribeImages', 'imageDetails', 2);
    assert.deepEqual(
      all.map((image) => (image as { imageDigest: string }).imageDigest),
      Object.values(aws.digests).toSorted(),
    );
  });

  for (const [filter, tags] of [
    [{ tagStatus: 'TAGGED' }, ['index', 'plain']],
    [{ tagStatus: 'UNTAGGED' }, ['child']],
    [{ tagStatus: 'ANY', imageStatus: 'ANY' }, ['child', 'index', 'plain']],
    [{ imageStatus: 'ACTIVE' }, ['child', 'index', 'plain']],
    [{ imageStatus: 'ARCHIVED' }, []],
  ] as const)
    test(`the filter ${JSON.stringify(filter)} leaves ${tags.join(', ') || 'none'}`, async () => {
      await using aws = await openWithImages();
      const expected = tags.map((name) => aws.digests[name]).toSorted();
      const listed = await aws.ecr('ListImages', { repositoryName, filter });
      const named = listed.json.imageIds.map((each: { imageDigest: string }) => each.imageDigest);
      assert.deepEqual([...new Set(named)], expected);
      const imageIds = Object.values(aws.digests)
        .toSorted()
        .map((imageDigest) => ({ imageDigest }));
      for (const input of [{}, { imageIds }]) {
        const described = await aws.ecr('DescribeImages', { repositoryName, filter, ...input });
        assert.deepEqual(
          described.json.imageDetails.map((each: { imageDigest: string }) => each.imageDigest),
          expected,
        );
      }
    });

  const absent = digestOf('absent');
  for (const [what, imageId, told] of [
    ['a tag that is not there', { imageTag: 'nope' }, `{imageDigest:'null', imageTag:'nope'}`],
    [
      'a digest that is not there',
      { imageDigest: absent },
      `{imageDigest:'${absent}', imageTag:'null'}`,
    ],
    [
      'a tag of another digest',
      { imageDigest: absent, imageTag: 'v1' },
      `{imageDigest:'${absent}', imageTag:'v1'}`,
    ],
    ['what is no digest', { imageDigest: 'sha256:1' }, `{imageDigest:'sha256:1', imageTag:'null'}`],
  ] as const)
    test(`${what} is answered as an image that is not found`, async () => {
      await using aws = await openWithImages();
      const imageIds = [{ imageTag: 'v1' }, imageId];
      assert.deepEqual(failed(await aws.ecr('DescribeImages', { repositoryName, imageIds })), [
        400,
        'ImageNotFoundException',
        `The image with imageId ${told} does not exist within the repository with name 'team/app' in the registry with id '${home}'`,
      ]);
    });

  for (const [what, input, message] of [
    ['an id of nothing', { imageIds: [{}] }, /'imageIds'.*both tag and digest cannot be null/],
    [
      'a page of named images',
      { imageIds: [{ imageTag: 'v1' }], maxResults: 5 },
      /'maxResults'.*cannot be used together with imageIds/,
    ],
    [
      'a token beside named images',
      { imageIds: [{ imageTag: 'v1' }], nextToken: 'x' },
      /'nextToken'.*cannot be used together with imageIds/,
    ],
    ['a token of nothing', { nextToken: 'bm9uZQ==' }, /'nextToken'/],
    ['too large a page', { maxResults: 1001 }, /'maxResults'/],
  ] as const)
    test(`${what} is an invalid parameter`, async () => {
      await using aws = await openWithImages();
      const [status, code, text] = failed(
        await aws.ecr('DescribeImages', { repositoryName, ...input }),
      );
      assert.deepEqual([status, code], [400, 'InvalidParameterException']);
      assert.match(text, message);
    });

  test('a token is good for its own list and repository alone', async () => {
    await using aws = await openWithImages();
    await push(aws.api.metadata, pushInput('team/other', 'other', { tags: ['x'] }));
    const { nextToken } = (await aws.ecr('ListImages', { repositoryName, maxResults: 1 })).json;
    for (const [operation, name] of [
      ['DescribeImages', repositoryName],
      ['ListImages', 'team/other'],
    ] as const) {
      const [, code, message] = failed(
        await aws.ecr(operation, { repositoryName: name, nextToken }),
      );
      assert.equal(code, 'InvalidParameterException');
      assert.match(message, /nextToken/);
    }
  });

  for (const operation of ['ListImages', 'DescribeImages'])
    test(`${operation} is refused alike whether the repository is there or not, and a repository that is not there is said to whom may ask`, async () => {
      await using aws = await openWithImages();
      await aws.api.ask('POST users', { body: { name: 'ann' } });
      const refused = async (name: string): Promise<unknown[]> => {
        const answer = await aws.ecr(operation, { repositoryName: name }, { as: 'ann' });
        const [status, code, message] = failed(answer);
        return [status, code, message.replaceAll(name, 'NAME')];
      };
      const here = await refused(repositoryName);
      assert.deepEqual(here.slice(0, 2), [400, 'AccessDeniedException']);
      assert.deepEqual(await refused('no/such'), here);
      assert.deepEqual(failed(await aws.ecr(operation, { repositoryName: 'no/such' })), [
        400,
        'RepositoryNotFoundException',
        `The repository with name 'no/such' does not exist in the registry with id '${home}'`,
      ]);
    });
});
