import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const files = ['tests/faults/push-model.test.ts', 'tests/faults/push-races.test.ts'];

/** Runs the model of pushes so often, each of its properties; true where the server did as the model says every time. */
export async function runPushModel(options: {
  readonly runs: number;
  readonly seed: number;
}): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const child = spawn(process.execPath, ['--test', '--test-concurrency=1', ...files], {
    cwd: root,
    env: {
      ...process.env,
      BREAKWATER_MODEL_RUNS: String(options.runs),
      BREAKWATER_MODEL_SEED: String(options.seed),
    },
    stdio: 'inherit',
  });
  const end = (): void => void child.kill('SIGTERM');
  process.once('exit', end);
  child.on('error', () => resolve(false));
  child.on('close', (code) => resolve(code === 0));
  const right = await promise;
  process.off('exit', end);
  return right;
}
