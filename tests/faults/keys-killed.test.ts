import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { openKeyStore } from '../../src/access/secrets/key-store.ts';
import type { Metadata } from '../../src/metadata/contract/metadata.ts';
import { openSqliteMetadata } from '../../src/metadata/engine/sqlite.ts';
import { ownerOfSealed, sealedKinds } from '../../src/operations/keys/sealed-owner.ts';
import type { Rotation } from '../../src/operations/keys/key-rotation.ts';
import { createFakeClock } from '../support/rigs/fake-clock.ts';
import { homeRegistry } from '../support/samples/home-registry.ts';
import { temporaryFolder } from '../support/samples/storage-samples.ts';

const child = fileURLToPath(new URL('keys-child.ts', import.meta.url));
/** More than a page of values, and some access keys. */
const valuesCount = 205;
const keysCount = 3;

const open = (dataDir: string): Promise<Metadata> =>
  openSqliteMetadata(join(dataDir, 'metadata.sqlite'));

async function fill(dataDir: string): Promise<void> {
  const keys = await openKeyStore(dataDir, createFakeClock());
  await using metadata = await open(dataDir);
  const writes: Promise<unknown>[] = [];
  for (let n = 0; n < keysCount; n += 1) {
    const id = `AKIA${n}`;
    writes.push(
      metadata.identities.createAccessKey({
        id,
        account: `00000000000${n}`,
        name: undefined,
        sealedSecret: keys.seal(`secret of ${id}`, id),
        active: true,
        createdAt: 1,
        expiresAt: undefined,
        lastUsedAt: undefined,
      }),
    );
  }
  for (let n = 0; n < valuesCount; n += 1) {
    const [name, suffix] = [`s${n}`, 'AbCdEf'];
    const row = { id: [homeRegistry, name, 'v1'], suffix, sealed: '' };
    const secret = {
      registry: homeRegistry,
      name,
      suffix,
      tags: [],
      token: 't',
      createdAt: 1,
      changedAt: 1,
      versions: [{ id: 'v1', stages: ['AWSCURRENT'], createdAt: 1 }],
    };
    const sealed = keys.seal(`value ${n}`, ownerOfSealed('secretValues', row));
    writes.push(metadata.secrets.createSecret({ secret, sealed, secretsMax: 9999, now: 1 }));
  }
  await Promise.all(writes);
}

/** What a server that starts now opens, and by how many keys it was sealed. */
async function look(dataDir: string): Promise<{ readonly opened: number; readonly by: number }> {
  const keys = await openKeyStore(dataDir, createFakeClock());
  await using metadata = await open(dataDir);
  const by = new Set<string>();
  let opened = 0;
  for (const kind of sealedKinds) {
    const page = { notBy: '', after: undefined, limit: 9999 };
    for (const row of await metadata.sealed.listSealed(kind, page)) {
      const text = keys.open(row.sealed, ownerOfSealed(kind, row));
      const n = row.id[kind === 'accessKeys' ? 0 : 1]!.slice(1);
      assert.equal(text, kind === 'accessKeys' ? `secret of A${n}` : `value ${n}`);
      by.add(row.sealed.split('.')[1]!);
      opened += 1;
    }
  }
  return { opened, by: by.size };
}

/** `undefined`: it was killed. `call`: after which; 0: it is not. */
function rotate(dataDir: string, call: number): Rotation | undefined {
  const args = [child, dataDir, String(call)];
  const { signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (signal === 'SIGKILL') return undefined;
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as Rotation;
}

test(`a rotation that is killed after any of its calls leaves everything readable, and the next goes on.`, async () => {
  using folder = temporaryFolder();
  const filled = join(folder.path, 'filled');
  mkdirSync(filled);
  await fill(filled);
  const opened = valuesCount + keysCount;
  for (let call = 1; ; call += 1) {
    const dataDir = join(folder.path, String(call));
    cpSync(filled, dataDir, { recursive: true });
    const whole = rotate(dataDir, call);
    assert.equal((await look(dataDir)).opened, opened, `call ${call}`);
    const last = whole ?? rotate(dataDir, 0);
    assert.deepEqual(
      [last?.problem, last?.phase, last?.unopened],
      [undefined, 'done', 0],
      `call ${call}`,
    );
    assert.deepEqual(await look(dataDir), { opened, by: 1 }, `call ${call}`);
    rmSync(dataDir, { recursive: true });
    if (whole === undefined) continue;
    assert.ok(call > 10, String(call));
    break;
  }
});
