import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home } from '../../../tests/support/rigs/api-rig.ts';
import type { ApiRig } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { createFakeCache } from '../../../tests/support/rigs/fake-cache.ts';
import type { FakeCache } from '../../../tests/support/rigs/fake-cache.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';
import type { Asker, Caller } from '../../access/access.ts';
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
  const [, ticket] = /^http:\/\/127\.0\.0\.1:5000\/layers\/([\w.-]+)$/.exec(json.downloadUrl) ?? [];
  assert.ok(ticket, json.downloadUrl);
  return ticket;
}

const redeem = ({ api }: AwsRig, ticket: string): Promise<GrantedLayer> =>
  api.operations.layerDownloads.redeem(ticket);

const from = {
  address: '127.0.0.1',
  secure: false,
  isLoopback: true,
  userAgent: undefined,
  requestId: 'r',
};

/** A ticket as that caller gets it. */
async function grantedTo({ api }: AwsRig, caller: Caller): Promise<string> {
  const layer = { repository: 'up/a', digest };
  const waiting = { signal: new AbortController().signal };
  return await api.operations.layerDownloads.grant({ caller, from }, layer, waiting);
}

const isDenied = (error: unknown): boolean =>
  error instanceof RegistryError && error.code === 'denied';

suite('download URLs of layers', () => {
  test('a ticket says for whom it was given out, which blob, and where', async () => {
    await using aws = await openAws({ cache: cacheWithLayer() });
    const { caller, place, digest: named } = await redeem(aws, await granted(aws));
    assert.equal(caller.principal.kind, 'administrator');
    assert.deepEqual(
      [place.registry, place.target.repository, named],
      [`${home}/us-east-1`, 'up/a', digest],
    );
  });

  test('a ticket of a session with as long a policy and as many labels as there may be is good, and fits into the head of a request', async () => {
    await using aws = await openAws({ cache: cacheWithLayer() });
    const { api } = aws;
    const trust = { Effect: 'Allow', Principal: { AWS: home }, Action: 'sts:AssumeRole' };
    const trustPolicy = JSON.stringify({ Version: '2012-10-17', Statement: trust });
    await api.ask('POST roles', { body: { name: 'ci', trustPolicy } });
    const { createdAt: madeAt } = (await api.metadata.roles.findRole({
      account: home,
      name: 'ci',
    }))!;
    const allow = { Effect: 'Allow', Action: 'ecr:*', Resource: '*' };
    const statements = Array.from({ length: 39 }, () => allow);
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    const tags = Array.from({ length: 50 }, (_, at) => ({ key: `k${at}`, value: 'x'.repeat(37) }));
    const caller: Caller = {
      principal: { kind: 'role', account: home, name: 'ci', path: '/', session: 'build' },
      via: 'session',
      scopes: undefined,
      credential: 'session/ASIA',
      madeAt,
      session: { policy, tags, transitive: tags.map(({ key }) => key) },
      expiresAt: api.clock.now() + 3_600_000,
    };
    await api.ask('PUT identity-policies', {
      body: {
        role: 'ci',
        name: 'p',
        policy: JSON.stringify({ Version: '2012-10-17', Statement: allow }),
      },
    });
    const ticket = await grantedTo(aws, caller);
    assert.ok(policy.length > 2000 && ticket.length < 12_500, String(ticket.length));
    assert.deepEqual((await redeem(aws, ticket)).caller.session, caller.session);
  });

  test('a ticket ends after an hour', async () => {
    await using aws = await openAws({ cache: cacheWithLayer() });
    const ticket = await granted(aws);
    aws.api.clock.advance(3_599_999);
    await redeem(aws, ticket);
    aws.api.clock.advance(1);
    await assert.rejects(redeem(aws, ticket), isDenied);
  });

  test('a ticket ends with the credential that it was asked with', async () => {
    await using aws = await openAws({ cache: cacheWithLayer() });
    const { clock } = aws.api;
    const { caller } = await redeem(aws, await granted(aws));
    const ticket = await grantedTo(aws, { ...caller, expiresAt: clock.now() + 1000 });
    await redeem(aws, ticket);
    clock.advance(1000);
    await assert.rejects(redeem(aws, ticket), isDenied);
  });

  const user = { account: home, name: 'ann' };
  const ends: readonly {
    readonly name: string;
    readonly end: (api: ApiRig, admin: Asker, id: string) => Promise<unknown>;
  }[] = [
    {
      name: 'whose key was deleted',
      end: ({ operations }, admin, id) =>
        operations.identities.deleteAccessKey(admin, { user: user.name, id }),
    },
    {
      name: 'whose key is inactive',
      end: ({ operations }, admin, id) =>
        operations.identities.setAccessKeyActive(admin, { user: user.name, id, active: false }),
    },
    {
      name: 'who was deleted',
      end: ({ operations }, admin) => operations.identities.deleteUser(admin, user),
    },
    {
      name: 'who was deleted, and made anew with the same key’s id',
      end: async ({ operations, metadata, clock }, admin, id) => {
        const key = await metadata.identities.findAccessKey(id);
        await operations.identities.deleteUser(admin, user);
        clock.advance(1);
        await operations.identities.createUser(admin, { ...user, kind: 'user' });
        if (key !== undefined) await metadata.identities.createAccessKey(key);
      },
    },
  ];
  for (const { name, end } of ends)
    test(`a ticket ends with the rights of one ${name}`, async () => {
      await using aws = await openAws({ cache: cacheWithLayer() });
      const { identities } = aws.api.operations;
      const { caller: administrator } = await redeem(aws, await granted(aws));
      const admin: Asker = { caller: { ...administrator, via: 'key' }, from };
      await identities.createUser(admin, { ...user, kind: 'user' });
      const { accessKeyId } = await identities.createAccessKey(admin, { user: user.name });
      const ticket = await grantedTo(aws, {
        principal: { kind: 'user', ...user },
        via: 'key',
        scopes: undefined,
        credential: `key/${accessKeyId}`,
        madeAt: aws.api.clock.now(),
      });
      const { caller } = await redeem(aws, ticket);
      assert.deepEqual(caller.principal, { kind: 'user', ...user });
      await end(aws.api, admin, accessKeyId);
      await assert.rejects(redeem(aws, ticket), isDenied);
    });

  test('a ticket of the administrator ends when the pair is another', async () => {
    await using aws = await openAws({ cache: cacheWithLayer() });
    const { identities } = aws.api.operations;
    const { caller } = await redeem(aws, await granted(aws));
    const key = { ...caller, via: 'key' } as const;
    const { accessKeyId } = await identities.rotateAccessKey({ caller: key, from }, {});
    const ticket = await grantedTo(aws, { ...key, credential: `key/${accessKeyId}` });
    await redeem(aws, ticket);
    await identities.rotateAccessKey({ caller: key, from }, {});
    await assert.rejects(redeem(aws, ticket), isDenied);
  });

  test('no other text is a ticket', async () => {
    await using aws = await openAws({ cache: cacheWithLayer() });
    const ticket = await granted(aws);
    const sealedForPages = Buffer.from(aws.api.sealing.seal('{}', 'page of x')).toString(
      'base64url',
    );
    for (const text of ['', 'x', sealedForPages, 'A'.repeat(20_000), `${ticket.slice(0, -4)}AAAA`])
      await assert.rejects(redeem(aws, text), isDenied, text.slice(0, 40));
  });
});
