import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort, waitUntil } from '../processes.ts';
import type { Processes } from '../processes.ts';
import type { Certificate } from '../certificate.ts';
import type { System } from './system.ts';

export interface DistributionOptions {
  readonly name: string;
  /** `registry` of distribution v3 or Debian's `docker-registry`: both read the same configuration and the same store. */
  readonly binary: string;
  readonly processes: Processes;
  /** For the configuration. */
  readonly folder: string;
  readonly store: string;
  readonly certificate?: Certificate;
  /** Makes it a pull-through proxy. */
  readonly remoteUrl?: string;
}

/** Its access log off, as the table says. */
export async function startDistribution(options: DistributionOptions): Promise<System> {
  const port = await freePort();
  const configFile = join(options.folder, `${options.name.replaceAll(' ', '-')}.yml`);
  const { certificate, remoteUrl } = options;
  const configuration = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: options.store },
      cache: { blobdescriptor: 'inmemory' },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: 'bench',
      ...(certificate && { tls: { certificate: certificate.certFile, key: certificate.keyFile } }),
    },
    ...(remoteUrl && { proxy: { remoteurl: remoteUrl } }),
  };
  writeFileSync(configFile, JSON.stringify(configuration));
  const child = options.processes.spawn({
    name: options.name,
    role: 'server',
    command: options.binary,
    arguments: ['serve', configFile],
    outputFile: join(options.folder, 'peers.log'),
    environment: { OTEL_TRACES_EXPORTER: 'none' },
  });
  await waitUntil(options.name, 15_000, () => listens(port), child.exited);
  return {
    name: options.name,
    pid: child.pid,
    host: '127.0.0.1',
    port,
    tls: certificate !== undefined,
    path: (repository, rest) => `/v2/${repository}/${rest}`,
    stop: () => child.stop(),
  };
}

export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
