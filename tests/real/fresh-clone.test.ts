// A newcomer's clone: what README's first lines and CONTRIBUTING say is done in it, with the packages that are installed here.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { checkout } from '../support/checkout/documented-steps.ts';
import { enterSandbox, prepareSandbox } from '../support/processes/sandbox.ts';
import { runCommand } from '../support/tools/tools.ts';

// `npm start` has rules for public registries: not from where anything can leave.
const skip = enterSandbox();
if (skip === undefined) prepareSandbox();

const folder = await mkdtemp(join(tmpdir(), 'breakwater-clone-'));
const clone = join(folder, 'breakwater');
after(() => rm(folder, { recursive: true, force: true }));

/** The checkout's last commit, without its caches. */
async function cloneCheckout(): Promise<string | undefined> {
  const cloned = await runCommand('git', ['clone', '--quiet', checkout, clone]);
  if (cloned.code !== 0) return `no clone of the checkout: ${cloned.stderr}`;
  const packages = join(clone, 'node_modules');
  const copied = await runCommand('cp', ['-a', join(checkout, 'node_modules'), packages]);
  assert.equal(copied.code, 0, copied.stderr);
  await rm(join(packages, '.cache'), { recursive: true, force: true });
  return undefined;
}

const missing = skip ?? (await cloneCheckout());

test('npm run check is green in a fresh clone', { skip: missing ?? false }, async () => {
  const checked = await runCommand('npm', ['run', 'check'], { cwd: clone, timeoutMs: 400_000 });
  assert.equal(checked.code, 0, `${checked.stdout}\n${checked.stderr}`);
});

test(
  'npm start serves in a fresh clone as README says, and ends with Ctrl-C',
  { skip: missing ?? false },
  async () => {
    const child = spawn('npm', ['start'], { cwd: clone, stdio: 'ignore', detached: true });
    const ended = once(child, 'exit');
    try {
      const run = join(clone, 'data', 'run.json');
      let listen: string | undefined;
      while (listen === undefined) {
        assert.equal(child.exitCode, null, 'npm start ended');
        listen = await readFile(run, 'utf8').then(
          (text) => (JSON.parse(text) as { readonly listen: string }).listen,
          () => undefined,
        );
        if (listen === undefined) await delay(100);
      }
      assert.equal(listen, 'http://127.0.0.1:5000');
      assert.equal((await fetch('http://127.0.0.1:5001/readyz')).status, 200);
      const rules = await runCommand(join(clone, 'bin', 'breakwater.mjs'), ['rules', 'ls'], {
        cwd: clone,
      });
      assert.equal(rules.code, 0, rules.stderr);
      for (const host of ['registry-1.docker.io', 'registry.k8s.io', 'quay.io', 'ghcr.io'])
        assert.ok(rules.stdout.includes(host), rules.stdout);
    } finally {
      // As a terminal does: the whole group gets it.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
      await ended;
    }
  },
);
