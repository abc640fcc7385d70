import { deepEqual, equal, match, notEqual, rejects, throws } from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { addKey, openKeyStore } from './key-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-keys-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const newFolder = (): string => mkdtempSync(join(folder, 'data-'));
const clock = createFakeClock();

suite('the folder of keys', () => {
  test('is made at the first start, closed to others', async () => {
    const dataDir = newFolder();
    await openKeyStore(dataDir, clock);
    equal(statSync(join(dataDir, 'keys')).mode & 0o777, 0o700);
    const names = readdirSync(join(dataDir, 'keys')).toSorted();
    deepEqual(
      names.map((name) => name.replace(/-[a-z2-7]{8}\./, '-*.')),
      ['master-*.json', 'signing-*.json'],
    );
    for (const name of names) equal(statSync(join(dataDir, 'keys', name)).mode & 0o777, 0o600);
  });

  test('is read at a later start: what was sealed opens, the same key signs', async () => {
    const dataDir = newFolder();
    const first = await openKeyStore(dataDir, clock);
    const sealed = first.seal('secret', 'AKIA');
    const second = await openKeyStore(dataDir, clock);
    equal(second.open(sealed, 'AKIA'), 'secret');
    deepEqual(second.signing, first.signing);
  });

  test('of which one half was made before a crash gets the other', async () => {
    const dataDir = newFolder();
    mkdirSync(join(dataDir, 'keys'));
    const id = await addKey(dataDir, 'master', clock);
    writeFileSync(join(dataDir, 'keys', 'signing-aaaaaaaa.json.new'), '{');
    const store = await openKeyStore(dataDir, clock);
    match(store.seal('secret', 'AKIA'), new RegExp(`^v1\\.${id}\\.`));
    equal(store.signing.length, 1);
  });

  test('with a newer key seals and signs by it, and opens and verifies by the older', async () => {
    const dataDir = newFolder();
    const first = await openKeyStore(dataDir, clock);
    const sealed = first.seal('secret', 'AKIA');
    clock.advance(1);
    const master = await addKey(dataDir, 'master', clock);
    const signing = await addKey(dataDir, 'signing', clock);
    const second = await openKeyStore(dataDir, clock);
    equal(second.open(sealed, 'AKIA'), 'secret');
    match(second.seal('secret', 'AKIA'), new RegExp(`^v1\\.${master}\\.`));
    deepEqual(
      second.signing.map(({ id }) => id),
      [signing, first.signing[0]?.id],
    );
  });

  test('with a file that is open to everyone is refused, one open to its group is not', async () => {
    const dataDir = newFolder();
    await openKeyStore(dataDir, clock);
    const [name = ''] = readdirSync(join(dataDir, 'keys'));
    const file = join(dataDir, 'keys', name);
    chmodSync(file, 0o640);
    await openKeyStore(dataDir, clock);
    chmodSync(file, 0o604);
    await rejects(openKeyStore(dataDir, clock), /open to everyone \(mode 604\): run chmod 600/);
  });

  for (const text of ['', '{', 'null', '{}', '{"createdAt":1,"key":"AAAA"}', '[1]']) {
    test(`with ${JSON.stringify(text)} in a file is refused, without showing it`, async () => {
      const dataDir = newFolder();
      await openKeyStore(dataDir, clock);
      writeFileSync(join(dataDir, 'keys', 'master-aaaaaaaa.json'), text, { mode: 0o600 });
      await rejects(openKeyStore(dataDir, clock), {
        message: 'keys/master-aaaaaaaa.json is malformed; bring it back from a backup',
      });
    });
  }

  test('has two servers with keys of their own', async () => {
    const [one, other] = [newFolder(), newFolder()];
    const sealed = (await openKeyStore(one, clock)).seal('secret', 'AKIA');
    const store = await openKeyStore(other, clock);
    throws(() => store.open(sealed, 'AKIA'), /the master key [a-z2-7]{8} is not in keys/);
  });
});

suite('a sealed secret', () => {
  test('opens as its own owner alone, whatever both are', async () => {
    const store = await openKeyStore(newFolder(), clock);
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (secret, owner, other) => {
        const sealed = store.seal(secret.toWellFormed(), owner);
        equal(store.open(sealed, owner), secret.toWellFormed());
        if (Buffer.from(owner).equals(Buffer.from(other))) return;
        throws(() => store.open(sealed, other));
      }),
    );
  });

  test('with one bit changed does not open', async () => {
    const store = await openKeyStore(newFolder(), clock);
    // Of three lengths in a row two leave bits over at the end of their base64url.
    for (const secret of [
      'a secret of a length',
      'a secret of a length.',
      'a secret of a length..',
    ]) {
      const sealed = Buffer.from(store.seal(secret, 'AKIA'));
      for (let bit = 0; bit < sealed.byteLength * 8; bit += 1) {
        const changed = Buffer.from(sealed);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        throws(() => store.open(changed.toString('latin1'), 'AKIA'), `bit ${bit}`);
      }
    }
  });

  test('is never sealed alike twice, and shows nothing of itself', async () => {
    const dataDir = newFolder();
    const store = await openKeyStore(dataDir, clock);
    notEqual(store.seal('secret', 'AKIA'), store.seal('secret', 'AKIA'));
    equal(store.seal('secret', 'AKIA').includes('secret'), false);
    for (const name of readdirSync(join(dataDir, 'keys')))
      equal(
        store.seal('s', 'A').includes(readFileSync(join(dataDir, 'keys', name), 'utf8')),
        false,
      );
  });

  for (const text of [
    '',
    'secret',
    'v1..',
    'v1.aaaaaaaa.',
    'v2.aaaaaaaa.AAAA',
    'v1.aaaaaaaa.AAAA',
  ]) {
    test(`${JSON.stringify(text)} is none`, async () => {
      const store = await openKeyStore(newFolder(), clock);
      throws(() => store.open(text, 'AKIA'), Error);
    });
  }
});
