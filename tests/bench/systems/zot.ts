import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, waitUntil } from '../processes.ts';
import type { Processes } from '../processes.ts';
import { listens } from './distribution.ts';
import type { System } from './system.ts';

/** zot as a pull-through cache: built with its `sync` extension alone, which fetches an image when it is asked for. */
export async function startZot(options: {
  readonly binary: string;
  readonly processes: Processes;
  readonly folder: string;
  readonly remoteUrl: string;
}): Promise<System> {
  const { binary, processes, folder, remoteUrl } = options;
  const port = await freePort();
  const configFile = join(folder, 'zot.json');
  const configuration = {
    distSpecVersion: '1.1.1',
    storage: { rootDirectory: join(folder, 'zot') },
    http: { address: '127.0.0.1', port: String(port) },
    log: { level: 'error' },
    extensions: {
      sync: {
        enable: true,
        registries: [
          { urls: [remoteUrl], onDemand: true, tlsVerify: false, content: [{ prefix: '**' }] },
        ],
      },
    },
  };
  writeFileSync(configFile, JSON.stringify(configuration));
  const child = processes.spawn({
    name: 'zot',
    role: 'server',
    command: binary,
    arguments: ['serve', configFile],
    outputFile: join(folder, 'zot.log'),
  });
  await waitUntil('zot', 15_000, () => listens(port), child.exited);
  return {
    name: 'zot',
    pid: child.pid,
    host: '127.0.0.1',
    port,
    tls: false,
    path: (repository, rest) => `/v2/${repository}/${rest}`,
    stop: () => child.stop(),
  };
}
