// How a server ends, reloads and speaks TLS, as an operator sees it.
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeCertificate } from '../bench/certificate.ts';
import { basicOf, credentialsOf, startBreakwater } from '../support/processes/breakwater.ts';
import { until } from '../support/rigs/until.ts';
import { ask, askBlob, askManifest } from '../support/clients/pull.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';

const big = 'docker.io/library/big';

/** Begins the big layer's pull over a slow upstream, and waits until bytes flow. */
async function beginPull(s: Scene): Promise<{
  readonly digest: string;
  readonly size: number;
  readonly body: Promise<{ readonly complete: boolean; readonly digest: string } | undefined>;
}> {
  const layer = s.image('big').blobs.at(-1);
  assert.ok(layer !== undefined);
  await askManifest(s.breakwater.url, big, '1');
  const body = askBlob(s.breakwater.url, big, layer.digest, { discard: true }).catch(
    () => undefined,
  );
  const filter = { kind: 'blob', path: layer.digest } as const;
  await until(() => s.front.bytes(filter) > 1_000_000, 'bytes flow', 30_000);
  return { digest: layer.digest, size: layer.size, body };
}

test('SIGTERM: /readyz is 503, new connections are refused, and the running pull ends whole.', async (t) => {
  const s = await setScene(t, { behaviour: { bytesPerSecond: 20_000_000 } });
  if (s === undefined) return;
  const { url, adminUrl } = s.breakwater;
  const pull = await beginPull(s);
  const stopped = s.breakwater.stop();
  await until(async () => (await ask(`${adminUrl}/readyz`)).status === 503, 'not ready');
  await until(
    () =>
      ask(`${url}/v2/`).then(
        () => false,
        () => true,
      ),
    'new connections are refused',
  );
  const body = await pull.body;
  assert.deepEqual([body?.complete, body?.digest], [true, pull.digest]);
  assert.equal(await stopped, 0);
});

test('After the drain a running pull is cut, and its partial is taken up by the next start.', async (t) => {
  const s = await setScene(t, {
    behaviour: { bytesPerSecond: 8_000_000 },
    settings: { drain: '1s' },
  });
  if (s === undefined) return;
  const pull = await beginPull(s);
  const filter = { kind: 'blob', path: pull.digest } as const;
  assert.equal(await s.breakwater.stop(), 0);
  assert.notEqual((await pull.body)?.complete, true);
  const sent = s.front.bytes(filter);
  s.front.behave({ bytesPerSecond: 0 });
  s.front.clear();
  await s.breakwater.restart();
  const again = await askBlob(s.breakwater.url, big, pull.digest, { discard: true });
  assert.deepEqual([again.complete, again.digest], [true, pull.digest]);
  const resent = s.front.bytes(filter) + sent - pull.size;
  assert.ok(resent < 48 * 1024 * 1024, `${resent} bytes came twice`);
});

test('A second signal ends a draining server at once.', async (t) => {
  const s = await setScene(t, { behaviour: { bytesPerSecond: 2_000_000 } });
  if (s === undefined) return;
  const { adminUrl, pid } = s.breakwater;
  const pull = await beginPull(s);
  const stopped = s.breakwater.stop();
  await until(async () => (await ask(`${adminUrl}/readyz`)).status === 503, 'not ready');
  const began = performance.now();
  // Signals that follow one another within 0.3 s are one that was passed on twice.
  await until(() => {
    try {
      return !process.kill(pid, 'SIGTERM');
    } catch {
      return true;
    }
  }, 'it ends');
  assert.equal(await stopped, 1);
  assert.ok(performance.now() - began < 20_000);
  await pull.body;
});

test('A changed rule is in force by itself; a bad file keeps the old one and says where it is wrong.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const { url } = s.breakwater;
  const rule = { prefix: 'other', upstream: s.front.url };
  await s.breakwater.configure({ defaultRules: false, rules: [rule] });
  const path = 'other/library/busybox';
  await until(async () => {
    return (await askManifest(url, path, '1.36')).status === 200;
  }, 'the new rule leads');
  await s.breakwater.configure({ defaultRules: false, rules: [{ ...rule, freshfor: '1h' }] });
  await s.breakwater.untilLogged(/freshfor.*freshFor/);
  assert.equal((await askManifest(url, path, '1.36')).status, 200);
});

test("SIGHUP takes up the administrator's pair from dataDir/credentials: written by hand, removed, or spoilt.", async (t) => {
  const breakwater = await startBreakwater();
  t.after(() => breakwater.close());
  const file = join(breakwater.dataDir, 'credentials');
  const status = async (authorization: string): Promise<number> => {
    const answer = await fetch(`${breakwater.url}/v2/`, { headers: { authorization } });
    await answer.bytes();
    return answer.status;
  };
  const reread = async (told: RegExp): Promise<void> => {
    const before = breakwater.logs().length;
    process.kill(breakwater.pid, 'SIGHUP');
    await until(() => told.test(breakwater.logs().slice(before)), 'it is told');
  };
  const first = await basicOf(breakwater);
  const { secret } = await credentialsOf(breakwater);
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(secret, 'a-secret-of-ones-own-16'));
  assert.equal(await status(first), 200, 'nothing is read before it is told to');
  await reread(/is another now, and the old one is refused/);
  assert.equal(await status(first), 401);
  const byHand = await basicOf(breakwater);
  assert.equal(await status(byHand), 200);

  await writeFile(file, 'spoilt');
  await reread(/was not read again, the old one stays in force/);
  assert.equal(await status(byHand), 200);

  await rm(file);
  await reread(/is another now/);
  assert.equal(await status(byHand), 401);
  assert.equal(await status(await basicOf(breakwater)), 200);
});

test('With tls.certFile and keyFile the registry speaks TLS 1.2 or newer, with the bytes and ranges of plain HTTP.', async (t) => {
  const folder = await makeRunFolder('tls');
  t.after(() => removeRunFolder(folder));
  const certificate = makeCertificate(folder);
  if (certificate === undefined) return t.skip('openssl is not installed');
  const s = await setScene(t, { settings: { tls: certificate } });
  if (s === undefined) return;
  assert.match(s.breakwater.url, /^https:/);
  const ca = await readFile(certificate.certFile, 'utf8');
  const layer = s.image('noMediaType').blobs.at(-1);
  assert.ok(layer !== undefined);
  const get = (path: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number | undefined; body: Buffer }>((resolve, reject) => {
      const url = `${s.breakwater.url}/v2/docker.io/${s.image('noMediaType').repository}/${path}`;
      const sent = request(url, { ca, headers, agent: false, minVersion: 'TLSv1.2' }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => resolve({ status: answer.statusCode, body: Buffer.concat(chunks) }));
      });
      sent.on('error', reject).end();
    });
  assert.equal((await get(`manifests/${s.image('noMediaType').tag}`)).status, 200);
  const whole = await get(`blobs/${layer.digest}`);
  assert.ok(whole.body.equals(s.bytesOf(layer.digest)));
  const part = await get(`blobs/${layer.digest}`, { Range: 'bytes=10-99' });
  assert.equal(part.status, 206);
  assert.ok(part.body.equals(s.bytesOf(layer.digest).subarray(10, 100)));
  await assert.rejects(
    new Promise((resolve, reject) => {
      const old = { ca, agent: false, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const;
      request(`${s.breakwater.url}/v2/`, old, resolve).on('error', reject).end();
    }),
  );
});
