import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import type { Config } from '../config/config.ts';
import { readConfig } from '../config/load.ts';
import { keepingRestartOnly } from './reload.ts';

test('a reload takes all settings but those that take a restart', async () => {
  const load = async (env: Readonly<Record<string, string>>): Promise<Config> =>
    (await readConfig({ env, cwd: '/' })).config;
  const restarting = {
    BREAKWATER__LISTEN: '127.0.0.1:7000',
    BREAKWATER__ADMIN_LISTEN: '127.0.0.1:7001',
    BREAKWATER__HUB_MIRROR_LISTEN: '127.0.0.1:7002',
    BREAKWATER__DATA_DIR: '/elsewhere',
    BREAKWATER__CACHE__PIECE_SIZE: '1MiB',
    BREAKWATER__LIMITS__DOWNLOADS: '7',
    BREAKWATER__REGISTRY_ID: '111122223333',
    BREAKWATER__REGIONS: '[eu-west-2]',
  };
  const reloading = { BREAKWATER__ANONYMOUS_PULL: 'false', BREAKWATER__DRAIN: '7s' };
  const before = await load({});
  const next = await load({ ...restarting, ...reloading });
  deepEqual(keepingRestartOnly(before, next), await load(reloading));
});
