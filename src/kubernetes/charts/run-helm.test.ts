import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runHelm } from './run-helm.ts';
import type { HelmCommand } from './run-helm.ts';
import { ChartFailure } from './chart-failure.ts';

const never = new AbortController().signal;

function node(script: string, rest: Partial<HelmCommand> = {}): HelmCommand {
  return {
    command: process.execPath,
    args: ['-e', script],
    env: process.env,
    cwd: process.cwd(),
    deadlineMs: 60_000,
    outputBytesMax: 1024 * 1024,
    ...rest,
  };
}

const rows: readonly (readonly [says: string, child: HelmCommand, error: RegExp])[] = [
  [
    'A program that does not end is killed at its deadline.',
    node('setInterval(() => 0, 1000)', { deadlineMs: 300 }),
    /did not end within 0\.3 s$/,
  ],
  [
    'One that prints without end is killed.',
    node('const say = () => process.stdout.write("x".repeat(65536), say); say();'),
    /printed more than 1 MiB$/,
  ],
  ['One that fails says so.', node('process.exit(3)'), /ended with 3$/],
  [
    'One that is not there is told.',
    node('', { command: '/nowhere/helm' }),
    /^\/nowhere\/helm is not there$/,
  ],
];

for (const [says, child, error] of rows)
  test(says, async () => {
    await assert.rejects(
      runHelm(child, never),
      (found: unknown) => found instanceof ChartFailure && error.test(found.message),
    );
  });

test('What it prints on stdout comes back whole; on stderr it is the cause of a failure; words are no shell’s.', async () => {
  assert.equal(
    await runHelm(
      node('process.stdout.write(process.argv[1])', {
        args: ['-e', 'process.stdout.write(process.argv[1])', '$(id) `id` "x"'],
      }),
      never,
    ),
    '$(id) `id` "x"',
  );
  await assert.rejects(
    runHelm(node('console.error("because"); process.exit(1)'), never),
    (found: unknown) => found instanceof ChartFailure && found.because === 'because',
  );
});

test('An interruption ends it.', async () => {
  const controller = new AbortController();
  const running = runHelm(node('setInterval(() => 0, 1000)'), controller.signal);
  controller.abort(new Error('interrupted'));
  await assert.rejects(running, /interrupted/);
});
