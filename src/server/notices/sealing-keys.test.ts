import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { tellSealingKeys } from './sealing-keys.ts';

const masters = [{ id: 'newkeyaa' }, { id: 'oldkeyaa' }].map((key) => ({
  ...key,
  bytes: new Uint8Array(32),
  source: 'file' as const,
  createdAt: 1,
}));

for (const [what, keys, told] of [
  ['nothing: nothing', [], []],
  ['all by the first key: nothing', ['newkeyaa'], []],
  [
    'some by an older one: how to seal it anew',
    ['newkeyaa', 'oldkeyaa'],
    [['info', 'oldkeyaa', 2]],
  ],
  ['some by one that is not here: an error', ['gonegone'], [['error', 'gonegone', 2]]],
] as const)
  test(`a start with ${what}`, async () => {
    const lines: unknown[] = [];
    const tell =
      (level: string) =>
      (_message: string, about: Readonly<Record<string, unknown>> = {}): void =>
        void lines.push([level, about['key'], about['count']]);
    const count = async () => keys.map((key) => ({ kind: 'accessKeys' as const, key, count: 2 }));
    await tellSealingKeys(
      { sealed: { countSealed: count, listSealed: async () => [], reseal: async () => 0 } },
      { masters },
      { info: tell('info'), error: tell('error'), warn: tell('warn') },
    );
    deepEqual(lines, told);
  });
