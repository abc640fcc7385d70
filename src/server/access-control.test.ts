import { equal } from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { basic } from '../../tests/support/rigs/identity-rig.ts';
import { temporaryFolder } from '../../tests/support/samples/storage-samples.ts';
import type { AccessControl } from './access-control.ts';
import { openAccessControl } from './access-control.ts';
import { mintEcrPassword } from '../access/identify/registry-tokens.ts';
import { readConfig } from '../config/load.ts';
import { openKeyStore } from '../access/secrets/key-store.ts';
import { openSqliteMetadata } from '../metadata/engine/sqlite.ts';
import type { Log } from '../telemetry/log.ts';
import { createTestInvalidations } from '../../tests/support/rigs/invalidations.ts';

const accessKeyId = 'AKIAEXAMPLE';
const from = {
  address: '127.0.0.1',
  secure: true,
  isLoopback: false,
  userAgent: undefined,
  requestId: 'r-1',
};

const nothing = (): void => {};
const silentLog: Log = {
  format: 'json',
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  of: () => silentLog,
};

test('another secret of the administrator, of the same id, ends what was made with the one before', async () => {
  using folder = temporaryFolder();
  const clock = createFakeClock();
  const { config } = await readConfig({ env: {}, cwd: folder.path });
  await using metadata = await openSqliteMetadata(join(folder.path, 'metadata.sqlite'));
  const keys = await openKeyStore(config.dataDir, clock);
  const start = (secretAccessKey: string): Promise<AccessControl> =>
    openAccessControl({
      config: () => config,
      metadata,
      keys,
      administrator: {
        file: '',
        pair: () => ({ accessKeyId, secretAccessKey }),
        rotate: () => Promise.reject(new Error('nobody rotates here')),
        reopen: async () => false,
      },
      clock,
      invalidations: createTestInvalidations(),
      pruneAudit: async () => {},
      log: silentLog,
      audited: nothing,
    });
  const who = async ({ identifier }: AccessControl, header: string): Promise<string> => {
    try {
      return (await identifier.identify(header, from, { mirror: false })).principal.kind;
    } catch {
      return 'refused';
    }
  };

  const whoDownloads = async ({ downloadTokens }: AccessControl): Promise<string> =>
    (await downloadTokens.callerOf(download))?.principal.kind ?? 'refused';

  const made: string[] = [];
  let download = '';
  {
    await using before = await start('the secret before');
    const pair = basic(accessKeyId, 'the secret before');
    const caller = await before.identifier.identify(pair, from, { mirror: false });
    const { password } = await mintEcrPassword(caller, { tokens: before.ownTokens, clock });
    const issued = await before.tokens.issueToken({ caller, scopes: [], service: 's' });
    made.push(basic('AWS', password), `Bearer ${issued.token}`);
    download = await before.downloadTokens.issue(caller);
    for (const header of made) equal(await who(before, header), 'administrator');
  }
  await using again = await start('the secret before');
  for (const header of made) equal(await who(again, header), 'administrator');
  equal(await whoDownloads(again), 'administrator');
  await using after = await start('another secret');
  for (const header of made) equal(await who(after, header), 'refused');
  equal(await whoDownloads(after), 'refused');
  equal(await who(after, basic(accessKeyId, 'another secret')), 'administrator');
});
