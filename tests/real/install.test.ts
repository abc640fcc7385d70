// What `npm start` makes of a clone: the real npm, a registry on loopback, and everything that breaks an install off.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import { makeCheckout } from '../support/checkout/checkout.ts';
import type { Checkout } from '../support/checkout/checkout.ts';
import type { Running } from '../support/processes/process.ts';
import { until } from '../support/rigs/until.ts';

const limitMs = 60_000;

/** Its end: the exit code, and all that it said. */
async function ended(running: Running): Promise<{ code: number | null; said: string }> {
  const code = await running.ended();
  return { code, said: running.output() };
}

async function starts(checkout: Checkout, version: string): Promise<string> {
  const { code, said } = await ended(checkout.start());
  assert.equal(code, 0, said);
  assert.match(said, new RegExp(`hello ${version}\\n$`));
  return said;
}

/** Starts an install that waits for the registry. */
async function stalled(checkout: Checkout): Promise<Running> {
  checkout.registry('stalls');
  const asked = checkout.asked.length;
  const running = checkout.start();
  await until(() => checkout.asked.length > asked, 'npm asks the registry', limitMs);
  return running;
}

const lockOf = ({ folder }: Checkout): string => join(folder, '.install-lock');
const leftovers = ({ folder }: Checkout): string[] =>
  readdirSync(folder).filter((name) => name.startsWith('.install'));
/** The processes that the lock names: the start, and its npm. */
const holders = (checkout: Checkout): number[] =>
  readFileSync(lockOf(checkout), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number(line.split(' ')[0]));

suite('npm start', { concurrency: 2 }, () => {
  test('installs a fresh clone once, and says so', async () => {
    await using checkout = await makeCheckout();
    assert.match(await starts(checkout, '1.0.0'), /^breakwater: installing packages/);
    checkout.registry('is away');
    assert.equal(await starts(checkout, '1.0.0'), 'hello 1.0.0\n');
    assert.deepEqual(leftovers(checkout), []);
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    test(`${signal} in the first one leaves nothing that the next would wait for`, async () => {
      await using checkout = await makeCheckout();
      const first = await stalled(checkout);
      const npm = holders(checkout).at(-1) ?? 0;
      first.child.kill(signal);
      const { code, said } = await ended(first);
      assert.equal(code, { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal], said);
      assert.match(said, /interrupted; nothing was installed\n$/);
      assert.throws(() => process.kill(npm, 0), { code: 'ESRCH' });
      assert.deepEqual(leftovers(checkout), []);
      checkout.registry('answers');
      assert.doesNotMatch(await starts(checkout, '1.0.0'), /waiting/);
    });

  test('killed with its npm, is not waited for', async () => {
    await using checkout = await makeCheckout();
    const first = await stalled(checkout);
    const pids = await until(() => {
      const found = holders(checkout);
      return found.length === 2 && found;
    }, 'npm is in the lock');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await ended(first);
    assert.notDeepEqual(leftovers(checkout), []);
    checkout.registry('answers');
    assert.doesNotMatch(await starts(checkout, '1.0.0'), /waiting/);
    assert.deepEqual(leftovers(checkout), []);
  });

  test('killed alone, leaves an npm that the next waits for, and says whom', async () => {
    await using checkout = await makeCheckout();
    const first = await stalled(checkout);
    const npm = await until(() => holders(checkout)[1], 'npm is in the lock');
    const gone = once(first.child, 'exit');
    first.child.kill('SIGKILL');
    await gone;
    const second = checkout.start();
    await second.waitFor(
      new RegExp(`another start installs packages \\(pid ${npm}\\); waiting`),
      limitMs,
    );
    checkout.registry('answers');
    process.kill(npm, 'SIGKILL');
    const { code, said } = await ended(second);
    assert.equal(code, 0, said);
  });

  test('twice at once, installs once', async () => {
    await using checkout = await makeCheckout();
    const first = await stalled(checkout);
    const second = checkout.start();
    await second.waitFor(/waiting for it\n/, limitMs);
    first.child.kill('SIGTERM');
    checkout.registry('answers');
    const third = checkout.start();
    const told = (await Promise.all([ended(second), ended(third)])).map(({ said }) => said);
    for (const said of told) assert.match(said, /hello 1\.0\.0\n$/);
    assert.equal(
      told.filter((said) => said.includes('installing packages')).length,
      1,
      told.join(''),
    );
  });

  for (const [name, leave] of [
    ['a folder', (file) => mkdirSync(file)],
    ['an empty file', (file) => writeFileSync(file, '')],
    ['a process that is gone', (file) => writeFileSync(file, '4194304 12\n')],
    ['a process whose number another has now', (file) => writeFileSync(file, `${process.pid} 1\n`)],
    ['anything else', (file) => writeFileSync(file, '\0\0 no\nnumber 1\n')],
  ] as const satisfies readonly (readonly [string, (file: string) => void])[])
    test(`a lock that is ${name} holds up nobody`, async () => {
      await using checkout = await makeCheckout();
      leave(lockOf(checkout));
      assert.doesNotMatch(await starts(checkout, '1.0.0'), /waiting/);
      assert.deepEqual(leftovers(checkout), []);
    });

  test('takes what npm ci by hand has installed, and needs no registry then', async () => {
    await using checkout = await makeCheckout();
    await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--omit=dev'], {
      cwd: checkout.folder,
      env: { ...process.env, ...checkout.env },
    });
    checkout.registry('is away');
    assert.equal(await starts(checkout, '1.0.0'), 'hello 1.0.0\n');
    checkout.registry('answers');
    const { said } = await ended(checkout.start('scripts/check.ts'));
    assert.match(said, /installing packages[^]*hello 1\.0\.0\n$/);
  });

  test('without a network keeps what is there when the lockfile asks for more', async () => {
    await using checkout = await makeCheckout();
    await starts(checkout, '1.0.0');
    await checkout.want('2.0.0');
    checkout.registry('is away');
    const { code, said } = await ended(checkout.start());
    assert.equal(code, 1);
    assert.match(
      said,
      /npm ci failed with exit code \d+, see above; what was installed before is still there\n$/,
    );
    await checkout.want('1.0.0');
    assert.equal(await starts(checkout, '1.0.0'), 'hello 1.0.0\n');
    await checkout.want('2.0.0');
    checkout.registry('answers');
    await starts(checkout, '2.0.0');
    assert.deepEqual(leftovers(checkout), []);
  });

  for (const [name, lose] of [
    ['a package', (modules) => renameSync(join(modules, 'greeting'), join(modules, '..', 'lost'))],
    ['all of them', (modules) => rmSync(modules, { recursive: true })],
    ['what npm knows of them', (modules) => rmSync(join(modules, '.package-lock.json'))],
  ] as const satisfies readonly (readonly [string, (modules: string) => void])[])
    test(`installs again where ${name} went away`, async () => {
      await using checkout = await makeCheckout();
      await starts(checkout, '1.0.0');
      lose(join(checkout.folder, 'node_modules'));
      assert.match(await starts(checkout, '1.0.0'), /installing packages/);
    });

  test('killed between taking the old packages away and putting the new ones there, goes on from there', async () => {
    await using checkout = await makeCheckout();
    await starts(checkout, '1.0.0');
    const left = join(checkout.folder, '.install-7');
    mkdirSync(left);
    renameSync(join(checkout.folder, 'node_modules'), join(left, 'node_modules'));
    checkout.registry('is away');
    assert.equal(await starts(checkout, '1.0.0'), 'hello 1.0.0\n');
    assert.deepEqual(leftovers(checkout), []);
    assert.ok(existsSync(join(checkout.folder, 'node_modules', 'greeting')));
  });

  test(
    'says who can install where this user may not',
    { skip: process.getuid?.() === 0 ? false : 'needs root' },
    async () => {
      await using checkout = await makeCheckout();
      chmodSync(dirname(checkout.folder), 0o755);
      const child = spawn(
        process.execPath,
        [join(checkout.folder, 'scripts/start.mjs'), 'src/main.ts'],
        {
          uid: 65_533,
          gid: 65_533,
          env: { ...process.env, ...checkout.env },
        },
      );
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number];
      assert.equal(code, 1);
      assert.match(
        said,
        /^breakwater: packages are missing, and \S+ may not be written to \(EACCES\): run npm ci in it as its owner, user 0\n$/,
      );
    },
  );

  test('says that npm is missing', async () => {
    await using checkout = await makeCheckout();
    Object.assign(checkout.env, { PATH: '/nonexistent' });
    const { code, said } = await ended(checkout.start());
    assert.equal(code, 1);
    assert.match(said, /npm could not be run: spawn npm ENOENT\n$/);
  });
});
