import { deepEqual, equal, match, notEqual, rejects, throws } from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
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
import { systemClock } from '../../coordination/system-clock.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { parseKeys } from './given-keys.ts';
import { runKeyCommand } from './key-command.ts';
import { addKey } from './key-files.ts';
import type { KeyOptions } from './key-store.ts';
import { openKeyStore } from './key-store.ts';

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
    throws(
      () => store.open(sealed, 'AKIA'),
      /the master key [a-z2-7]{8} is not among the keys of this server/,
    );
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

const one = Buffer.alloc(32, 1).toString('base64');
const two = Buffer.alloc(32, 2).toString('base64');

function options(
  from: KeyOptions['settings']['from'],
  text?: string,
  command: readonly string[] = [],
): KeyOptions {
  const settings = { from, environment: 'KEYS', command, commandTimeoutMs: 5000 };
  return { settings, env: { KEYS: text } };
}

suite('keys of the environment', () => {
  test('seal and sign, and leave the data folder alone', async () => {
    const dataDir = newFolder();
    const given = options(['environment'], one);
    const store = await openKeyStore(dataDir, clock, given);
    const sealed = store.seal('secret', 'AKIA');
    deepEqual(readdirSync(dataDir), []);
    const again = await openKeyStore(newFolder(), clock, given);
    equal(again.open(sealed, 'AKIA'), 'secret');
    deepEqual(again.signing, store.signing);
    notEqual(Buffer.from(store.signing[0]!.bytes).toString('base64'), one);
  });

  test('of which the first seals, and all open; so do those of the sources behind it', async () => {
    const dataDir = newFolder();
    const ofFile = (await openKeyStore(dataDir, clock)).seal('of file', 'AKIA');
    const ofOne = (await openKeyStore(dataDir, clock, options(['environment'], one))).seal(
      'x',
      'A',
    );
    const both = await openKeyStore(
      dataDir,
      clock,
      options(['environment', 'file'], `${two}\n${one}`),
    );
    equal(both.open(ofFile, 'AKIA'), 'of file');
    equal(both.open(ofOne, 'A'), 'x');
    const [first] = both.masters;
    match(both.seal('y', 'A'), new RegExp(`^v1\\.${first!.id}\\.`));
    deepEqual(
      both.masters.map(({ source }) => source),
      ['environment', 'environment', 'file'],
    );
    equal(both.signing.length, 3);
  });

  test('may be one of a file, under its id', async () => {
    const dataDir = newFolder();
    const sealed = (await openKeyStore(dataDir, clock)).seal('secret', 'AKIA');
    const name = readdirSync(join(dataDir, 'keys')).find((each) => each.startsWith('master'))!;
    const { key } = JSON.parse(readFileSync(join(dataDir, 'keys', name), 'utf8')) as {
      key: string;
    };
    const text = `${name.slice('master-'.length, -'.json'.length)}:${key}`;
    const store = await openKeyStore(newFolder(), clock, options(['environment'], text));
    equal(store.open(sealed, 'AKIA'), 'secret');
  });

  const what = 'the variable KEYS';
  for (const [text, message] of [
    [undefined, /keys\.environment: the variable KEYS is not set/],
    ['', /the variable KEYS has no key; write 32 random bytes in base64/],
    [' , ', /has no key/],
    ['c2hvcnQ=', /key 1 of the variable KEYS has 5 bytes instead of 32/],
    [`${one} ${one}`, /key 2 of the variable KEYS has the id of key 1/],
    [`${one} s3cret!`, /key 2 of the variable KEYS is malformed/],
    [`Master1:${one}`, /the id before key 1 of the variable KEYS is malformed/],
    [Array.from({ length: 101 }, () => one).join(), /more than 100 keys/],
    ['a'.repeat(65_537), /more than 65536 characters/],
  ] as const)
    test(`that are ${JSON.stringify(text?.slice(0, 60))} are refused, and none is shown`, async () => {
      await rejects(
        openKeyStore(newFolder(), clock, options(['environment'], text)),
        (error: Error) => {
          match(error.message, message);
          equal(/s3cret|c2hvcnQ|AQEB/.test(error.message), false);
          return true;
        },
      );
    });

  test('are the same in base64, base64url and hex, whatever is between them', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.constantFrom('base64', 'base64url', 'hex'),
        fc.constantFrom(' ', '\n', ',', ' ,\r\n'),
        (bytes, encoding, between) => {
          const text = `${between}${Buffer.from(bytes).toString(encoding as 'hex')}${between}`;
          const [key, ...more] = parseKeys(text, 'environment', what);
          const [same] = parseKeys(Buffer.from(bytes).toString('base64'), 'environment', what);
          deepEqual([Buffer.from(key!.bytes), more], [Buffer.from(bytes), []]);
          match(key!.id, /^[a-z2-7]{8}$/);
          equal(key!.id, same!.id);
        },
      ),
    );
  });
});

suite('keys of a command', () => {
  const sh = (script: string): readonly string[] => ['/bin/sh', '-c', script];

  test('are what it prints, run without a shell of ours and without input', async () => {
    const store = await openKeyStore(
      newFolder(),
      clock,
      options(['command'], undefined, ['/bin/echo', `${two} ${one}`]),
    );
    deepEqual(
      store.masters.map(({ source }) => source),
      ['command', 'command'],
    );
    equal(await runKeyCommand(['/bin/echo', '$HOME; id'], 5000, systemClock), '$HOME; id\n');
    equal(await runKeyCommand(['/bin/cat'], 5000, systemClock), '');
  });

  for (const [name, command, message] of [
    [
      'that is not there',
      ['/none/such'],
      /^keys\.command: \/none\/such cannot be started \(ENOENT\)$/,
    ],
    ['that fails', sh('echo s3cret; echo s3cret >&2; exit 3'), /ended with 3; run it by hand/],
    ['that is killed', sh('kill -TERM $$'), /ended with SIGTERM/],
    [
      'that prints without end',
      sh('while :; do echo s3cret; done'),
      /printed more than 65536 bytes/,
    ],
    [
      'that prints no key',
      ['/bin/echo', 's3cret!'],
      /key 1 of what keys\.command prints is malformed/,
    ],
  ] as const)
    test(`${name} is refused, and shows nothing of what it printed`, async () => {
      await rejects(
        openKeyStore(newFolder(), systemClock, options(['command'], undefined, command)),
        (error: Error) => {
          match(error.message, message);
          equal(error.message.includes('s3cret'), false);
          return true;
        },
      );
    });

  test('that hangs is killed at its deadline, with what it started', async () => {
    const own = createFakeClock();
    const pidFile = join(newFolder(), 'pid');
    const running = runKeyCommand(
      sh(`sleep 1000 & echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait`),
      5000,
      own,
    );
    running.catch(() => {});
    await until(() => existsSync(pidFile));
    own.advance(5000);
    await rejects(running, /was not done within 5 s/);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await until(() => isGone(pid));
  });
});

/** Nobody may have waited for it yet. */
function isGone(pid: number): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'latin1') : '';
  return stat === '' || / Z /.test(stat.slice(stat.lastIndexOf(')') + 1));
}

suite('another key in a running server', () => {
  test('opens at once, and seals and signs after five seconds, when others know it too', async () => {
    const own = createFakeClock();
    const dataDir = newFolder();
    const [here, there] = [await openKeyStore(dataDir, own), await openKeyStore(dataDir, own)];
    const [old] = here.masters;
    own.advance(1);
    equal(await here.add(), true);
    const [first] = here.masters;
    notEqual(first!.id, old!.id);
    match(here.seal('x', 'A'), new RegExp(`^v1\\.${old!.id}\\.`));
    const signing = here.signing[0]!.id;
    equal(here.settlesInMs, 5000);
    own.advance(3000);
    await there.reload();
    own.advance(2000);
    equal(here.settlesInMs, 0);
    const sealed = here.seal('x', 'A');
    match(sealed, new RegExp(`^v1\\.${first!.id}\\.`));
    notEqual(here.signing[0]!.id, signing);
    equal(there.open(sealed, 'A'), 'x');
    match(there.seal('x', 'A'), new RegExp(`^v1\\.${old!.id}\\.`));
  });

  test('is the first though the clock was set back', async () => {
    const own = createFakeClock();
    const dataDir = newFolder();
    const store = await openKeyStore(dataDir, own);
    const [old] = store.masters;
    own.setNow(own.now() - 86_400_000);
    await store.add();
    equal(store.masters[1]?.id, old?.id);
    equal(store.signing.length, 2);
  });

  test('that another process made is looked for when something is sealed by it', async () => {
    const own = createFakeClock();
    const dataDir = newFolder();
    const [here, there] = [await openKeyStore(dataDir, own), await openKeyStore(dataDir, own)];
    own.advance(1);
    await there.add();
    own.advance(30_000);
    const sealed = there.seal('x', 'A');
    throws(() => here.open(sealed, 'A'), /is not among the keys/);
    await until(() => here.masters.length === 2);
    equal(here.open(sealed, 'A'), 'x');
  });

  test('that cannot be read leaves those that were there in use', async () => {
    const dataDir = newFolder();
    const store = await openKeyStore(dataDir, clock);
    const sealed = store.seal('x', 'A');
    writeFileSync(join(dataDir, 'keys', 'master-aaaaaaaa.json'), '{', { mode: 0o600 });
    await rejects(store.add(), /malformed/);
    equal(store.open(sealed, 'A'), 'x');
    match(store.seal('y', 'A'), new RegExp(`^v1\\.${store.masters[0]!.id}\\.`));
  });

  test('retires older files that say nothing of being used, and never the first', async () => {
    const own = createFakeClock();
    const dataDir = newFolder();
    const store = await openKeyStore(dataDir, own);
    const older = [store.masters[0]!.id, store.signing[0]!.id];
    own.advance(1);
    await store.add();
    await store.supersede();
    const seen: unknown[] = [];
    const retired = await store.retire(({ id, supersededAt }, purpose) => {
      seen.push([purpose, id, supersededAt]);
      return true;
    });
    deepEqual(retired, older);
    deepEqual(seen, [
      ['master', older[0], own.now()],
      ['signing', older[1], own.now()],
    ]);
    deepEqual([store.masters.length, store.signing.length], [1, 1]);
    equal((await openKeyStore(dataDir, own)).masters[0]!.id, store.masters[0]!.id);
  });
});
