import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { PullRule } from '../../src/domain/rules/pull-rule.ts';
import {
  createRig,
  failureOf,
  latest,
  never,
  publicAddress,
  secret,
  targetAt,
} from '../support/rigs/upstream-rig.ts';
import { digestOf } from '../support/samples/digest.ts';
import { openStage, sendManifest } from '../support/upstreams/stage.ts';

const digest = digestOf(Buffer.from('a layer'));
const api: Partial<PullRule> = { origin: 'api', id: 'R-1', reach: 'public' };

suite('a rule that is made through an API', () => {
  for (const address of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '::1', 'fd00::1'])
    test(`dials no ${address}, where DNS leads its own host there`, async () => {
      await using stage = await openStage((_request, response) => sendManifest(response));
      const family = address.includes(':') ? 6 : 4;
      await using rig = createRig({
        lookup: async () => [{ address, family }],
        dial: () => '127.0.0.1',
      });
      const failed = await failureOf(
        rig.upstream.headManifest(targetAt(stage, api), latest, never),
      );
      assert.deepEqual([failed.reason, stage.seen.length], ['addressRefused', 0]);
      // An operator's rule may, but for what nobody may.
      if (address !== '169.254.169.254')
        await rig.upstream.headManifest(targetAt(stage), latest, never);
    });

  test('follows no redirect to a private address, though the same host leads an operator’s rule there', async () => {
    await using inner = await openStage((_request, response) => sendManifest(response));
    await using stage = await openStage((_request, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${inner.port}/x` }).end();
    });
    await using rig = createRig({
      lookup: async () => [
        { address: publicAddress, family: 4 },
        { address: '127.0.0.1', family: 4 },
      ],
    });
    const asked = (more: Partial<PullRule>) =>
      rig.upstream.headManifest(targetAt(stage, more), latest, never);
    await asked({});
    assert.equal(inner.seen.length, 1);
    assert.equal((await failureOf(asked(api))).reason, 'addressRefused');
    assert.equal(inner.seen.length, 1);
  });

  test('whose secret cannot be had asks nobody, and says nothing of the host', async () => {
    await using stage = await openStage((_request, response) => sendManifest(response));
    await using rig = createRig();
    const blocked = { ...api, credential: { ...secret, accessToken: '' }, blocked: 'no secret' };
    const target = targetAt(stage, blocked);
    const works = [
      rig.upstream.headManifest(target, latest, never),
      rig.upstream.getManifest(target, latest, undefined, never),
      rig.upstream.listTags(target, { n: 10 }, never),
      rig.upstream.listReferrers(target, digest, never),
      rig.upstream.headBlob(target, digest, never),
      rig.upstream.openBlob(target, digest, {}, never),
      rig.upstream.ping(target.rule, target.url, never),
    ];
    for (const work of works) {
      const { kind, reason, message } = await failureOf(work);
      assert.deepEqual([kind, reason, message], ['denied', 'blocked', 'no secret']);
    }
    assert.equal(stage.seen.length, 0);
    assert.notEqual(rig.upstream.state(target.url.host)?.last, 'failure');
    await rig.upstream.headManifest(targetAt(stage, api), latest, never);
  });

  test('shares its tokens with no other rule, be prefix and credential the same', async () => {
    const realms: string[] = [];
    await using stage = await openStage((request, response) => {
      if (request.url?.startsWith('/token')) {
        realms.push(request.url);
        response.end('{"token":"t"}');
      } else if (request.headers.authorization === 'Bearer t') sendManifest(response);
      else {
        const realm = `http://registry.vendor.com:${stage.port}/token`;
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
      }
    });
    await using rig = createRig();
    const asked = (id: string) =>
      rig.upstream.headManifest(targetAt(stage, { ...api, id, credential: secret }), latest, never);
    await asked('R-1');
    await asked('R-1');
    assert.equal(realms.length, 1);
    await asked('R-2');
    assert.equal(realms.length, 2);
  });
});
