import { fileURLToPath } from 'node:url';
import type { KeyPair } from './administrator.ts';
import type { Processes } from './processes.ts';

/** Layers pushed over the ECR API for as long as it runs: `parts` at once, each of one part. */
export interface PartsJob {
  readonly host: string;
  readonly port: number;
  readonly keys: KeyPair;
  readonly parts: number;
  readonly partBytes: number;
}

/** Parts are under way once this resolves; `stop` resolves to how many were sent whole. */
export async function startPartsLoad(
  processes: Processes,
  job: PartsJob,
): Promise<{ stop(): Promise<number> }> {
  const child = processes.spawn({
    name: 'parts',
    role: 'load',
    command: process.execPath,
    arguments: [fileURLToPath(new URL('./parts-load.ts', import.meta.url)), JSON.stringify(job)],
    capture: true,
  });
  await child.firstLine(60_000);
  return {
    async stop() {
      child.kill('SIGTERM');
      const lines = (await child.output(60_000)).trim().split('\n');
      return Number(lines.at(-1));
    },
  };
}
