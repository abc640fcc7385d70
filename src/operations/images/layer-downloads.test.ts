import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { createFakeCache } from '../../../tests/support/rigs/fake-cache.ts';
import type { FakeCache } from '../../../tests/support/rigs/fake-cache.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { GrantedLayer } from './layer-downloads.ts';

const digest = digestOf('layer');

function cacheWithLayer(): FakeCache {
  const cache = createFakeCache();
  cache.addBlob('up/a', Buffer.from('layer'));
  return cache;
}

/** The ticket of a download URL, as the client gets it. */
async function granted(aws: AwsRig): Promise<string> {
  const input = { repositoryName: 'up/a', layerDigest: digest };
  const { json } = await aws.ecr('GetDownloadUrlForLayer', input);
  const [, ticket] = /^http:\/\/127\.0\.0\.1:5000\/layers\/([\w-]+)$/.exec(json.downloadUrl) ?? [];
  assert.ok(ticket, json.downloadUrl);
  return ticket;
}

const redeem = ({ api }: AwsRig, ticket: string): GrantedLayer =>
  api.operations.layerDownloads.redeem(ticket);

const isDenied = (error: unknown): boolean =>
  error instanceof RegistryError && error.code === 'denied';

suite('download URLs of layers', () => {
  test('a ticket says for whom it was given out, which blob, and where', async () => {
    await using aws = await openAws({ cache: cacheWithLayer() });
    const { caller, place, digest: named } = redeem(aws, await granted(aws));
    assert.equal(caller.principal.kind, 'administrator');
    assert.deepEqual(
      [place.registry, place.target.repository, named],
      [`${home}/us-east-1`, 'up/a', digest],
    );
  });

  test('a ticket ends after an hour', async () => {
    await using aws = await openAws({ cache: cacheWithLayer() });
    const ticket = await granted(aws);
    aws.api.clock.advance(3_599_999);
    redeem(aws, ticket);
    aws.api.clock.advance(1);
    assert.throws(() => redeem(aws, ticket), isDenied);
  });

  test('a ticket ends with the credential that it was asked with', async () => {
    await using aws = await openAws({ cache: cacheWithLayer() });
    const { clock, operations } = aws.api;
    const { caller } = redeem(aws, await granted(aws));
    const asker = {
      caller: { ...caller, expiresAt: clock.now() + 1000 },
      from: {
        address: '127.0.0.1',
        secure: false,
        isLoopback: true,
        userAgent: undefined,
        requestId: 'r',
      },
    };
    const layer = { repository: 'up/a', digest };
    const waiting = { signal: new AbortController().signal };
    const ticket = await operations.layerDownloads.grant(asker, layer, waiting);
    redeem(aws, ticket);
    clock.advance(1000);
    assert.throws(() => redeem(aws, ticket), isDenied);
  });

  test('no other text is a ticket', async () => {
    await using aws = await openAws({ cache: cacheWithLayer() });
    const ticket = await granted(aws);
    const sealedForPages = Buffer.from(aws.api.sealing.seal('{}', 'page of x')).toString(
      'base64url',
    );
    for (const text of ['', 'x', sealedForPages, 'A'.repeat(20_000), `${ticket.slice(0, -4)}AAAA`])
      assert.throws(() => redeem(aws, text), isDenied, text.slice(0, 40));
  });
});
