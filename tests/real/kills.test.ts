// kill -9 in the middle of pulls: no byte wrong, none lost, and what had come is not fetched again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/rigs/until.ts';
import { askBlob, askManifest, pullImage } from '../support/clients/pull.ts';
import { setScene } from '../support/processes/scene.ts';
import { runKillLoop } from '../soak/kill-loop.ts';

const mebibyte = 1024 * 1024;

test('50 kills at random moments during pulls leave no wrong and no lost byte.', async (t) => {
  const seed = Date.now() % 2 ** 31;
  const result = await runKillLoop({ iterations: 50, seed, log: (line) => t.diagnostic(line) });
  t.diagnostic(`seed ${seed}: ${result.verified} verified, ${result.interrupted} interrupted`);
  assert.deepEqual(result.problems, []);
  assert.deepEqual([result.wrong, result.lost, result.stuck], [0, 0, 0]);
  assert.ok(result.verified > 0 && result.interrupted > 0);
});

test('A partial download goes on after kill -9: what was journalled is not fetched again.', async (t) => {
  const s = await setScene(t, { behaviour: { bytesPerSecond: 12_000_000 } });
  if (s === undefined) return;
  const name = 'docker.io/library/big';
  const layer = s.image('big').blobs.at(-1);
  assert.ok(layer !== undefined);
  await askManifest(s.breakwater.url, name, '1');
  const cut = askBlob(s.breakwater.url, name, layer.digest, { discard: true }).catch(
    () => undefined,
  );
  const filter = { kind: 'blob', path: layer.digest } as const;
  const sent = await until(
    () => s.front.bytes(filter) > 170 * mebibyte && s.front.bytes(filter),
    'much of it has come',
    60_000,
  );
  await s.breakwater.kill9();
  assert.equal((await cut)?.complete ?? false, false);
  s.front.behave({ bytesPerSecond: 0 });
  await s.breakwater.restart();
  s.front.clear();
  await pullImage(s.breakwater.url, name, '1');
  const again = s.front.bytes(filter);
  // The journal is written every 64 MiB or 5 s; four connections hold a piece of 8 MiB each.
  assert.ok(again <= layer.size - sent + 96 * mebibyte, `${sent} sent, ${again} sent again`);
  assert.ok(again < layer.size * 0.7, `${again} of ${layer.size}`);
});

test('What was held before kill -9 is served after it with the upstream down.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const names = ['index', 'dockerList', 'nested', 'noMediaType', 'hello'] as const;
  for (const each of names) {
    const { repository, tag } = s.image(each);
    await pullImage(s.breakwater.url, `docker.io/${repository}`, tag);
  }
  // A row is there once a later pull is a hit.
  await until(async () => {
    const { repository, blobs } = s.image('noMediaType');
    const last = blobs.at(-1)?.digest ?? '';
    const answer = await askBlob(s.breakwater.url, `docker.io/${repository}`, last);
    return answer.headers['cache-status'] === 'Breakwater; hit';
  }, 'everything is stored');
  await s.breakwater.kill9();
  await s.front.down();
  await s.breakwater.restart();
  for (const each of names) {
    const { repository, tag, digest } = s.image(each);
    const pulled = await pullImage(s.breakwater.url, `docker.io/${repository}`, tag);
    assert.equal(pulled.digest, digest);
  }
});
