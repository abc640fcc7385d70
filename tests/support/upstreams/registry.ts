// Real registries on loopback: distribution v3, and Debian's docker-registry (2.8).
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess } from '../processes/process.ts';
import { copyFolder, makeRunFolder, removeRunFolder } from '../processes/run-folder.ts';
import { findTool } from '../tools/tools.ts';
import type { Tool } from '../tools/tools.ts';

export type RegistryKind = 'distribution' | 'docker-registry';

export interface RegistryOptions {
  /** Which program; by default distribution, else docker-registry where that can't be had. */
  readonly kind?: RegistryKind;
  /** A storage folder to begin with, e.g. `corpus.registryRoot`; copied, never written to. */
  readonly content?: string;
  /** Storage used in place, without a copy, and kept at the end. */
  readonly root?: string;
  /** Makes it a pull-through cache of this URL. */
  readonly proxyOf?: string;
}

export interface Registry {
  readonly kind: RegistryKind;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Its storage: blobs are at `docker/registry/v2/blobs/sha256/ab/abcd…/data`. */
  readonly root: string;
  output(): string;
  stop(): Promise<void>;
}

/** The registry program that tests use, or why there is none. */
export async function findRegistry(
  kind?: RegistryKind,
): Promise<{ readonly kind: RegistryKind; readonly path: string } | { readonly missing: string }> {
  const reasons: string[] = [];
  for (const each of kind === undefined ? (['distribution', 'docker-registry'] as const) : [kind]) {
    const tool: Tool = await findTool(each === 'distribution' ? 'registry' : 'docker-registry');
    if ('path' in tool) return { kind: each, path: tool.path };
    reasons.push(tool.missing);
  }
  return { missing: reasons.join('; ') };
}

/** Starts a registry and waits until it listens. Throws where there is no program: ask `findRegistry` first. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const program = await findRegistry(options.kind);
  if ('missing' in program) throw new Error(program.missing);
  const folder = await makeRunFolder('registry');
  const root = options.root ?? join(folder, 'storage');
  if (options.content !== undefined) {
    // Blob files are never written again once there; everything else may be.
    await copyFolder(options.content, root, (name) => name === 'data');
  }
  const config = join(folder, 'config.yml');
  await writeFile(config, JSON.stringify(registryConfig(root, options.proxyOf)));
  const running = startProcess(program.path, ['serve', config], {
    env: { OTEL_TRACES_EXPORTER: 'none' },
  });
  const match = await running.waitFor(/listening on 127\.0\.0\.1:(\d+)/, 30_000);
  const port = Number(match[1]);
  return {
    kind: program.kind,
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    port,
    root,
    output: () => running.output(),
    async stop() {
      await running.stop('SIGTERM', 5000);
      await removeRunFolder(folder);
    },
  };
}

/** JSON is YAML. */
function registryConfig(root: string, proxyOf: string | undefined): object {
  return {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: root },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: { addr: '127.0.0.1:0', secret: 'of tests', relativeurls: true },
    validation: {
      manifests: {
        urls: { allow: ['^https?://'] },
        indexes: { platforms: 'none' },
      },
    },
    ...(proxyOf === undefined ? {} : { proxy: { remoteurl: proxyOf } }),
  };
}
