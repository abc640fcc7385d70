import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { listsWaitingMax, ReadThread } from './read-thread.ts';
import { openSqliteMetadata } from './sqlite.ts';

suite('the thread of lists', () => {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-lists-'));
  const file = join(folder, 'metadata.sqlite');
  const account = { id: '111122223333', name: 'a', createdAt: 1 };
  before(async () => {
    await using metadata = await openSqliteMetadata(file);
    await metadata.identities.createAccount(account);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('is started by the first list, answers each in its turn, and ends when it idles', async () => {
    await using thread = new ReadThread(file, { listMs: 30_000, idleMs: 1 });
    equal(thread.isRunning, false);
    const order: string[] = [];
    const lists = [
      thread.list('listAccounts', []).then((rows) => {
        order.push('accounts');
        return rows;
      }),
      thread.list('listPrincipals', [account.id]).then((rows) => {
        order.push('principals');
        return rows;
      }),
    ];
    equal(thread.isRunning, true);
    deepEqual(await Promise.all(lists), [[account], []]);
    deepEqual(order, ['accounts', 'principals']);
    while (thread.isRunning) await new Promise(setImmediate);
    deepEqual(await thread.list('listAccounts', []), [account], 'another thread answers');
  });

  test('refuses what it can’t send or run, and goes on', async () => {
    await using thread = new ReadThread(file);
    await rejects(thread.list('listPulls', [() => {}]), {
      name: 'MetadataError',
      reason: 'failed',
    });
    await rejects(thread.list('listPulls', ['many']), {
      name: 'MetadataError',
      reason: 'failed',
      message: /listPulls/,
    });
    deepEqual(await thread.list('listAccounts', []), [account]);
  });

  test('a list that takes too long is ended with its thread, and the next one is run by another', async () => {
    const limits = { listMs: 1, idleMs: 30_000 };
    await using thread = new ReadThread(file, limits);
    const late = {
      name: 'MetadataError',
      reason: 'failed',
      message: /listAccounts took over 1 ms/,
    };
    const first = rejects(thread.list('listAccounts', []), late);
    limits.listMs = 30_000;
    const second = thread.list('listAccounts', []);
    await first;
    deepEqual(await second, [account]);
  });

  for (const isBackground of [true, false])
    test(
      `a thread ${isBackground ? 'of the background lets all others go first' : 'that somebody waits for goes as the others'}`,
      { skip: process.platform !== 'linux' || getPriority() === 19 },
      async () => {
        const others = new Set(readdirSync('/proc/self/task'));
        const background = Math.min(19, getPriority() + 5);
        await using thread = new ReadThread(file, { listMs: 30_000, idleMs: 30_000, isBackground });
        await thread.list('listAccounts', []);
        const started = readdirSync('/proc/self/task').filter((id) => !others.has(id));
        const behind = started.filter((id) => getPriority(Number(id)) === background);
        equal(behind.length, isBackground ? 1 : 0);
      },
    );

  test('so many may wait; the next is refused at once, and closing rejects them', async () => {
    const thread = new ReadThread(file);
    const asked = Array.from({ length: listsWaitingMax + 1 }, () =>
      thread.list('listAccounts', []).then(
        () => 'answered',
        (error: { reason: string }) => error.reason,
      ),
    );
    await rejects(thread.list('listAccounts', []), { reason: 'busy' });
    await thread[Symbol.asyncDispose]();
    deepEqual(new Set(await Promise.all(asked)), new Set(['closed']));
    await rejects(thread.list('listAccounts', []), { reason: 'closed' });
  });

  test('a file that can’t be read fails each list, and none waits for ever', async () => {
    await using thread = new ReadThread(join(folder, 'none.sqlite'));
    const asked = [thread.list('listAccounts', []), thread.list('listAccounts', [])];
    for (const one of await Promise.allSettled(asked)) {
      equal(one.status, 'rejected');
      match(String((one as PromiseRejectedResult).reason), /the thread of lists failed/);
    }
  });
});
