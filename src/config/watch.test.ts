import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { WatchOptions } from './watch.ts';
import { watchConfig } from './watch.ts';

/** What is seen by events alone, and by polls alone. */
const ways: readonly (readonly [string, WatchOptions])[] = [
  ['events', { debounceMs: 5, pollMs: 2_000_000_000 }],
  ['polls', { debounceMs: 2_000_000_000, pollMs: 5 }],
];

interface Scene {
  readonly folder: string;
  /** Makes a change, which is the next that is told. */
  readonly tells: (change: () => Promise<void>) => Promise<void>;
}

async function inFolder(
  options: WatchOptions,
  prepare: (folder: string) => Promise<readonly string[]>,
  run: (scene: Scene) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'breakwater-watch-'));
  const ending = new AbortController();
  // The watch never keeps a process alive; the test must.
  const alive = setInterval(() => undefined, 1000);
  try {
    let told = 0;
    let next = Promise.withResolvers<void>();
    const files = await prepare(folder);
    const onChange = (): void => {
      told += 1;
      next.resolve();
      next = Promise.withResolvers<void>();
    };
    await watchConfig(files, onChange, options, ending.signal);
    let made = 0;
    const tells: Scene['tells'] = async (change) => {
      assert.equal(told, made, 'nothing but what changed is told');
      const heard = next.promise;
      await change();
      await heard;
      made = told;
    };
    await run({ folder, tells });
  } finally {
    clearInterval(alive);
    ending.abort();
    await rm(folder, { recursive: true });
  }
}

async function oneFile(folder: string): Promise<readonly string[]> {
  await writeFile(join(folder, 'c.yaml'), 'a');
  return [join(folder, 'c.yaml')];
}

/** A volume as the kubelet makes it: config.yaml → ..data/config.yaml, ..data → a folder with a date. */
async function mounted(folder: string): Promise<readonly string[]> {
  await mkdir(join(folder, '..1'));
  await writeFile(join(folder, '..1', 'c.yaml'), 'a');
  await symlink('..1', join(folder, '..data'));
  await symlink('..data/c.yaml', join(folder, 'c.yaml'));
  return [join(folder, 'c.yaml')];
}

for (const [way, options] of ways) {
  test(`by ${way}, a file that is written is told`, async () => {
    await inFolder(options, oneFile, async ({ folder, tells }) => {
      await tells(() => writeFile(join(folder, 'c.yaml'), 'bb'));
    });
  });

  test(`by ${way}, a file that is replaced is told, and once more the next time`, async () => {
    await inFolder(options, oneFile, async ({ folder, tells }) => {
      for (const text of ['bb', 'ccc']) {
        await writeFile(join(folder, 'new'), text);
        await tells(() => rename(join(folder, 'new'), join(folder, 'c.yaml')));
      }
    });
  });

  test(`by ${way}, a swap of Kubernetes' ..data is told`, async () => {
    await inFolder(options, mounted, async ({ folder, tells }) => {
      for (const version of ['..2', '..3']) {
        await mkdir(join(folder, version));
        await writeFile(join(folder, version, 'c.yaml'), 'a');
        await symlink(version, join(folder, '..data_tmp'));
        await tells(() => rename(join(folder, '..data_tmp'), join(folder, '..data')));
      }
    });
  });

  test(`by ${way}, a file that goes and comes back is told`, async () => {
    await inFolder(options, oneFile, async ({ folder, tells }) => {
      await tells(() => unlink(join(folder, 'c.yaml')));
      await tells(() => writeFile(join(folder, 'c.yaml'), 'a'));
    });
  });
}

test('the secrets beside it are watched as well', async () => {
  const two = async (folder: string): Promise<readonly string[]> => {
    await mkdir(join(folder, 'secrets'));
    await writeFile(join(folder, 'secrets', 's.yaml'), 'a');
    return [...(await oneFile(folder)), join(folder, 'secrets', 's.yaml')];
  };
  await inFolder({ debounceMs: 5, pollMs: 2_000_000_000 }, two, async ({ folder, tells }) => {
    await tells(() => writeFile(join(folder, 'secrets', 's.yaml'), 'bb'));
  });
});

test('a neighbour that changes is none of its business', async () => {
  const options = { debounceMs: 5, pollMs: 5 };
  await inFolder(options, oneFile, async ({ folder, tells }) => {
    const other = join(folder, 'other');
    const heard = Promise.withResolvers<void>();
    const ending = new AbortController();
    // By the time that this later watch has seen it, the first one has looked too.
    await watchConfig([other], heard.resolve, options, ending.signal);
    await writeFile(other, 'x');
    await heard.promise;
    ending.abort();
    await tells(() => writeFile(join(folder, 'c.yaml'), 'bb'));
  });
});

test('a folder that does not exist yet is watched by polls', async () => {
  const none = async (folder: string): Promise<readonly string[]> => [
    join(folder, 'later', 'c.yaml'),
  ];
  await inFolder({ debounceMs: 5, pollMs: 5 }, none, async ({ folder, tells }) => {
    await mkdir(join(folder, 'later'));
    await tells(() => writeFile(join(folder, 'later', 'c.yaml'), 'a'));
  });
});

test('after the end nothing is told', async () => {
  const ended = AbortSignal.abort();
  await watchConfig([import.meta.filename], () => assert.fail(), { pollMs: 1 }, ended);
});
