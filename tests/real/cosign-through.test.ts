// An image is looked at before it is signed: cosign verifies it through Breakwater as soon as its upstream has the signature.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/rigs/until.ts';
import { setTlsScene } from '../support/processes/tls-scene.ts';
import type { TlsScene } from '../support/processes/tls-scene.ts';

type Signing = TlsScene<'cosign'>;

const trust = ['--key', 'mine.pub', '--trusted-root', 'root.json', '--insecure-ignore-tlog'];

async function withKey(s: Signing): Promise<void> {
  await s.run('cosign', ['login', s.breakwater.host, '-u', s.user, '--password-stdin'], s.password);
  await s.run('cosign', ['generate-key-pair', '--output-key-prefix', 'mine']);
  // No transparency log, no timestamps: both of these are empty.
  await s.run('cosign', ['signing-config', 'create', '--out', 'signing.json']);
  await s.run('cosign', ['trusted-root', 'create', '--out', 'root.json']);
}

test('cosign verifies an image that was signed after it had been looked at.', async (t) => {
  const s = await setTlsScene(t, ['cosign']);
  if (s === undefined) return;
  await withKey(s);
  const { repository, digest } = s.image('single');
  const through = `${s.breakwater.host}/docker.io/${repository}@${digest}`;
  const verified = async (): Promise<boolean> =>
    (await s.attempt('cosign', ['verify', ...trust, through])).code === 0;
  assert.equal(await verified(), false, 'nobody has signed it');
  const upstream = `${s.registry.host}/${repository}@${digest}`;
  const signing = ['--yes', '--key', 'mine.key', '--signing-config', 'signing.json'];
  await s.run('cosign', ['sign', ...signing, '--allow-http-registry', upstream]);
  await until(verified, 'its signature is seen', 30_000);
  await s.front.down();
  assert.equal(await verified(), true, 'and stays, with the upstream gone');
});
