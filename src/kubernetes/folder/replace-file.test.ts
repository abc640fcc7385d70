import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import type { ReplaceSteps } from './replace-file.ts';
import { replaceFile } from './replace-file.ts';

const folder = fs.mkdtempSync(join(tmpdir(), 'breakwater-replace-'));
after(() => fs.rmSync(folder, { recursive: true }));
const path = join(folder, 'a.yaml');

function put(text: string): { realPath: string; mtimeMs: number; size: number } {
  fs.writeFileSync(path, text);
  fs.chmodSync(path, 0o640);
  const { mtimeMs, size } = fs.statSync(path);
  return { realPath: path, mtimeMs, size };
}

const order = [
  'stat',
  'open',
  'write',
  'stat',
  'chmod',
  'sync',
  'close',
  'stat',
  'rename',
] as const;

/** Real steps; of those in `order` the n-th fails, before or after it was done. */
function failing(nth: number, when: 'before' | 'after'): ReplaceSteps {
  let step = 0;
  const counted = <Result>(name: string, run: () => Result): Result => {
    const index = step;
    step += 1;
    assert.equal(name, order[index]);
    if (index === nth && when === 'before') throw new Error(`no ${name}`);
    const result = run();
    if (index === nth) throw new Error(`no ${name}`);
    return result;
  };
  return {
    stat: (at) => counted('stat', () => fs.statSync(at)),
    open: (at, mode) => {
      if (step === nth && when === 'after') throw new Error('no open');
      return counted('open', () => fs.openSync(at, 'wx', mode));
    },
    write: (descriptor, bytes) => counted('write', () => fs.writeFileSync(descriptor, bytes)),
    chmod: (descriptor, mode) => counted('chmod', () => fs.fchmodSync(descriptor, mode)),
    chown: () => undefined,
    sync: async (descriptor) => counted('sync', () => fs.fsyncSync(descriptor)),
    close: (descriptor) => {
      const isCounted = order[step] === 'close';
      if (isCounted) counted('close', () => fs.closeSync(descriptor));
      else fs.closeSync(descriptor);
    },
    rename: (from, to) => counted('rename', () => fs.renameSync(from, to)),
    remove: (at) => fs.rmSync(at, { force: true }),
  };
}

suite('A step that fails leaves the old file, and nothing beside it', () => {
  for (const [nth, name] of order.entries())
    for (const when of ['before', 'after'] as const) {
      // What was renamed is there.
      if (name === 'rename' && when === 'after') continue;
      test(`${name}, step ${nth + 1}, ${when} it was done`, async () => {
        const file = put('old');
        await assert.rejects(
          replaceFile(file, 'new', failing(nth, when)),
          new RegExp(`no ${name}`),
        );
        assert.equal(fs.readFileSync(path, 'utf8'), 'old');
        assert.deepEqual(fs.readdirSync(folder), ['a.yaml']);
      });
    }
});

test('The new file has the mode of the old one.', async () => {
  await replaceFile(put('old'), 'new');
  assert.equal(fs.readFileSync(path, 'utf8'), 'new');
  assert.equal(fs.statSync(path).mode & 0o7777, 0o640);
  assert.deepEqual(fs.readdirSync(folder), ['a.yaml']);
});

test('A file that somebody changed meanwhile stays as they left it.', async () => {
  const file = put('old');
  fs.writeFileSync(path, 'theirs');
  await assert.rejects(replaceFile(file, 'new'), /changed while/);
  assert.equal(fs.readFileSync(path, 'utf8'), 'theirs');
  assert.deepEqual(fs.readdirSync(folder), ['a.yaml']);
});

test('Root leaves the file to its owner.', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('not root');
  const file = put('old');
  fs.chownSync(path, 1234, 1235);
  await replaceFile(file, 'new');
  const { uid, gid, mode } = fs.statSync(path);
  assert.deepEqual([uid, gid, mode & 0o7777], [1234, 1235, 0o640]);
});
