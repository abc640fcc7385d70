import { fileURLToPath } from 'node:url';
import type { Processes } from './processes.ts';
import type { SyntheticImage } from './synthetic-image.ts';
import type { PublishRequest, UpstreamStats } from './upstream.ts';

/** The upstream of `upstream.ts` in a process of its own. */
export interface RemoteUpstream {
  readonly url: string;
  publish(request: PublishRequest): Promise<SyntheticImage>;
  /** Of each connection; 0: none. */
  limit(bytesPerSecond: number): Promise<void>;
  /** In milliseconds, of each connection and each answer. */
  away(roundTripMs: number): Promise<void>;
  stats(): Promise<UpstreamStats>;
  reset(): Promise<void>;
}

export async function startUpstream(processes: Processes): Promise<RemoteUpstream> {
  const child = processes.spawn({
    name: 'upstream',
    role: 'load',
    command: process.execPath,
    arguments: [fileURLToPath(new URL('./upstream.ts', import.meta.url))],
    capture: true,
  });
  const url = await child.firstLine(10_000);
  const call = async (verb: string, input?: unknown): Promise<unknown> => {
    const response = await fetch(`${url}/-/${verb}`, {
      method: 'POST',
      body: input === undefined ? null : JSON.stringify(input),
      signal: AbortSignal.timeout(60_000),
    });
    return response.json();
  };
  return {
    url,
    async publish(request) {
      const image = (await call('publish', request)) as SyntheticImage & {
        readonly manifest: string;
      };
      return { ...image, manifest: Buffer.from(image.manifest, 'base64') };
    },
    async limit(bytesPerSecond) {
      await call('limit', bytesPerSecond);
    },
    async away(roundTripMs) {
      await call('away', roundTripMs);
    },
    stats: async () => (await call('stats')) as UpstreamStats,
    async reset() {
      await call('reset');
    },
  };
}
