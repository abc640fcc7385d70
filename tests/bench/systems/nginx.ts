import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { freePort, waitUntil } from '../processes.ts';
import type { Processes } from '../processes.ts';
import type { Certificate } from '../certificate.ts';
import { blobStream } from '../synthetic-image.ts';
import type { SyntheticImage } from '../synthetic-image.ts';
import { listens } from './distribution.ts';
import type { System } from './system.ts';

export interface NginxOptions {
  readonly binary: string;
  readonly processes: Processes;
  readonly folder: string;
  readonly images: readonly SyntheticImage[];
  readonly certificate: Certificate;
}

/** The same bytes as plain files: what a web server can do at all on this machine. One process, two listeners. */
export async function startNginx(
  options: NginxOptions,
): Promise<{ readonly plain: System; readonly tls: System }> {
  const { folder, certificate } = options;
  const root = join(folder, 'nginx');
  for (const image of options.images) await writeImage(root, image);
  const [plain, tls] = [await freePort(), await freePort()];
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${root}/temp-${name};`)
    .join(' ');
  const configFile = join(folder, 'nginx.conf');
  writeFileSync(
    configFile,
    `daemon off; master_process off; worker_processes 1; pid ${root}/pid; error_log ${folder}/peers.log;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=100; ${temporary}
  default_type application/vnd.oci.image.manifest.v1+json;
  server {
    listen 127.0.0.1:${plain};
    listen 127.0.0.1:${tls} ssl;
    ssl_certificate ${certificate.certFile};
    ssl_certificate_key ${certificate.keyFile};
    root ${root};
  }
}
`,
  );
  const child = options.processes.spawn({
    name: 'nginx',
    role: 'server',
    command: options.binary,
    arguments: ['-c', configFile, '-e', join(folder, 'peers.log')],
    outputFile: join(folder, 'peers.log'),
  });
  await waitUntil('nginx', 10_000, () => listens(tls), child.exited);
  const system = {
    pid: child.pid,
    host: '127.0.0.1',
    path: (repository: string, rest: string) => `/v2/${repository}/${rest}`,
    stop: () => child.stop(),
  };
  return {
    plain: { ...system, name: 'nginx', port: plain, tls: false },
    tls: { ...system, name: 'nginx TLS', port: tls, tls: true },
  };
}

async function writeImage(root: string, image: SyntheticImage): Promise<void> {
  const folder = join(root, 'v2', image.repository);
  mkdirSync(join(folder, 'manifests'), { recursive: true });
  mkdirSync(join(folder, 'blobs'), { recursive: true });
  writeFileSync(join(folder, 'manifests', image.tag), image.manifest);
  for (const layer of image.layers)
    await pipeline(
      Readable.from(blobStream(layer)),
      createWriteStream(join(folder, 'blobs', layer.digest)),
    );
}
