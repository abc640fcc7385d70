import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { RepositoryRow } from '../../metadata/contract/rows.ts';
import type { Caller } from '../access.ts';
import { openKeyStore } from '../secrets/key-store.ts';
import type { VisibleListing } from './visible-repositories.ts';
import { createVisibleRepositories } from './visible-repositories.ts';

const folder = await mkdtemp(join(tmpdir(), 'breakwater-listing-'));
after(() => rm(folder, { recursive: true }));
const sealing = await openKeyStore(folder, createFakeClock());

const nobody: Caller = { principal: { kind: 'anonymous' }, via: 'bearer', scopes: undefined };
const never = new AbortController().signal;

const rowOf = (name: string): RepositoryRow => ({
  name: name as RepositoryName,
  private: false,
  stopped: undefined,
  createdAt: 0,
  pushed: true,
  tagMutability: mutableTags,
  policy: undefined,
});

function start(names: readonly string[]) {
  const fake = createFakeClock();
  const rests: number[] = [];
  /** Moves on by itself where it is waited for. */
  const clock = {
    ...fake,
    after: (ms: number, callback: () => void): Disposable => {
      rests.push(ms);
      setImmediate(() => {
        fake.advance(ms);
        callback();
      });
      return { [Symbol.dispose]: () => {} };
    },
  };
  const all = names.toSorted().map(rowOf);
  const reads: number[] = [];
  const looked: string[] = [];
  const repositories = createVisibleRepositories({
    clock,
    sealing,
    metadata: {
      repositories: {
        listRepositories: async (_registry, { prefix, after: place, limit }) => {
          reads.push(limit);
          const rest = all.filter(({ name }) => name > place && name.startsWith(prefix));
          return rest.slice(0, limit);
        },
      },
    },
  });
  const list = (
    isVisible: (name: string) => boolean,
    asked: Partial<VisibleListing> = {},
    signal = never,
  ) =>
    repositories.list(
      {
        caller: nobody,
        from: { address: '127.0.0.1' },
        registry: homeRegistry,
        prefix: '',
        after: '',
        limit: 100,
        isVisible: ({ name }) => {
          looked.push(name);
          return isVisible(name);
        },
        ...asked,
      },
      signal,
    );
  /** Every page until there is no next one. */
  const pages = async (isVisible: (name: string) => boolean, asked: Partial<VisibleListing>) => {
    const found: { names: string[]; next: string | undefined }[] = [];
    let place = '';
    for (;;) {
      const { rows, next } = await list(isVisible, { ...asked, after: place });
      found.push({ names: rows.map(({ name }) => name), next });
      if (next === undefined) return found;
      place = next;
    }
  };
  return { clock, list, pages, looked, reads, rests };
}

const secretNames = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `secret/${'x'.repeat(n % 90)}${n}`);

suite('the repositories that somebody may see', () => {
  test('many hidden ones are passed over in pages that name none, and that all lead on', async () => {
    const { pages, looked } = start([...secretNames(12_000), 'visible/a']);
    const found = await pages((name) => name === 'visible/a', { limit: 3 });
    deepEqual(
      found.map(({ names }) => names.length),
      [0, 0, 1],
    );
    const nexts = found.flatMap(({ next }) => next ?? []);
    for (const next of nexts) {
      const decoded = Buffer.from(next.split('.').at(-1) ?? '', 'base64url').toString('latin1');
      ok(!next.includes('secret') && !decoded.includes('secret'), next);
    }
    equal(new Set(nexts.map(({ length }) => length)).size, 1, 'the length of a name is told');
    equal(looked.length, 12_001);
    equal(new Set(looked).size, 12_001);
  });

  test('a full page leads on from the last name that it shows', async () => {
    const { list } = start(['a', 'b', 'c', 'd', 'e']);
    const { rows, next } = await list((name) => name !== 'c', { limit: 2 });
    deepEqual([rows.map(({ name }) => name), next], [['a', 'b'], 'b']);
  });

  test('nothing leads on where only hidden ones remain', async () => {
    const { list } = start(['a', 'b', 'c', 'd']);
    const { rows, next } = await list((name) => name < 'c', { limit: 2 });
    deepEqual([rows.length, next], [2, undefined]);
  });

  test('whatever is hidden and however long a page is, the pages are all that is visible, once and in order', async () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-c]{1,4}$/), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.nat(),
        fc.integer({ min: 1, max: 9 }),
        async (all, seed, limit) => {
          const { pages } = start(all);
          const isVisible = (name: string): boolean =>
            (name.length * 7 + name.charCodeAt(0) * 3 + seed) % 3 !== 0;
          const found = await pages(isVisible, { limit });
          deepEqual(
            found.flatMap((page) => page.names),
            all.filter(isVisible).toSorted(),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a page works for half a second at most', async () => {
    const { clock, list, looked } = start(secretNames(1000));
    const { next } = await list(() => {
      clock.advance(25);
      return false;
    });
    equal(looked.length, 20);
    ok(next?.startsWith('~'));
  });

  test('however slow one is, a page leads on', async () => {
    const { clock, pages } = start(['a', 'b', 'c']);
    const slow = (name: string): boolean => {
      clock.advance(60_000);
      return name !== 'b';
    };
    const found = await pages(slow, {});
    deepEqual(
      found.map(({ names }) => names),
      [['a'], [], ['c'], []],
    );
  });

  test('others have three quarters of the time: it rests after every five milliseconds', async () => {
    const { clock, list, rests } = start(secretNames(60));
    await list(() => {
      clock.advance(2);
      return false;
    });
    deepEqual(rests, Array<number>(20).fill(18));
  });

  test('others get their turn after every read, however quick it was', async () => {
    const { list } = start(secretNames(2000));
    let turns = 0;
    let over = false;
    const tick = (): void => {
      turns += 1;
      if (!over) setImmediate(tick);
    };
    setImmediate(tick);
    await list(() => false, { limit: 1000 });
    over = true;
    ok(turns >= 8, `${turns} turns`);
  });

  test('a client that leaves ends it', async () => {
    const { list, looked } = start(secretNames(4000));
    const controller = new AbortController();
    const listing = list(
      () => {
        controller.abort();
        return false;
      },
      {},
      controller.signal,
    );
    await rejects(listing, { code: 'clientLeft' });
    ok(looked.length <= 250);
  });

  test('a place that was changed, made up, or is another registry’s is refused', async () => {
    const { list } = start(secretNames(6000));
    const { next = '' } = await list(() => false);
    const registry: RegistryKey = '111122223333/us-east-1';
    await rejects(
      list(() => false, { after: next, registry }),
      { code: 'paginationInvalid' },
    );
    for (const place of [`${next}A`, '~', '~secret/1', next.slice(0, -4)])
      await rejects(
        list(() => false, { after: place }),
        { code: 'paginationInvalid' },
      );
  });

  test('no more is read at once than a page needs', async () => {
    const { list, reads } = start(secretNames(10));
    await list(() => true, { limit: 4 });
    await list(() => true, { limit: 1000 });
    deepEqual(reads, [5, 250]);
  });

  test('of anonymous listings one works at a time, and one source has eight', async () => {
    const { list } = start(secretNames(3));
    let working = 0;
    let most = 0;
    const isVisible = async (): Promise<boolean> => {
      working += 1;
      most = Math.max(most, working);
      await new Promise((resolve) => setImmediate(resolve));
      working -= 1;
      return false;
    };
    const asked = await Promise.allSettled(
      Array.from({ length: 10 }, () => list(() => false, { isVisible })),
    );
    equal(most, 1);
    deepEqual(
      asked.map((each) =>
        each.status === 'rejected' ? (each.reason as Error & { code: string }).code : 'ok',
      ),
      [...Array<string>(8).fill('ok'), 'tooManyRequests', 'tooManyRequests'],
    );
    equal((await list(() => true)).rows.length, 3);
  });
});
