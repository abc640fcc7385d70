// A data folder as a running server has it: its lock is held by this process, and its record leads to an address of the test's choice.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunRecord } from '../../../src/cli/server/run-record.ts';
import { openDataFolder } from '../../../src/server/data-folder.ts';

export interface ServedFolder extends AsyncDisposable {
  record(record: Partial<RunRecord> & { readonly listen: string }): Promise<void>;
}

/** Makes the folder where it is not there, with `key` (`id:secret`) as its administrator's. */
export async function serveFolder(dataDir: string, key: string): Promise<ServedFolder> {
  const folder = await openDataFolder(dataDir);
  const colon = key.indexOf(':');
  writeFileSync(
    join(dataDir, 'credentials'),
    `# ours\n[default]\naws_access_key_id = ${key.slice(0, colon)}\naws_secret_access_key = ${key.slice(colon + 1)}\nregion = us-east-1\n`,
  );
  return {
    record: (record) =>
      folder.writeRunRecord({ pid: process.pid, adminListen: record.listen, ...record }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
