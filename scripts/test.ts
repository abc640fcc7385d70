// `npm test`: checks, then every test, then one line with the sums. `npm test -- PATTERN` runs the files whose path holds it.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printChecks, runChecks } from './check.ts';
import { emptyTally, runTestFiles } from './test-files.ts';
import type { Tally, TestLimits } from './test-files.ts';
import { buildsEndKey } from '../tests/support/tools/tool-builds.ts';
import { imagesName, toolNeeds } from '../tests/support/tools/tool-needs.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const quick: TestLimits = { testMs: 120_000, fileMs: 300_000, concurrency: 2 };
const real: TestLimits = { testMs: 600_000, fileMs: 1_200_000, concurrency: 2 };

/** How long what the tests lack is built, beside them and before the last of them: what is not done then is skipped. */
const buildsMs = 2_400_000;
/** How long its end may take beyond that. */
const buildsGraceMs = 120_000;

interface Stage {
  readonly name: string;
  readonly pattern: string;
  readonly limits: TestLimits;
}

const stages: readonly Stage[] = [
  { name: 'unit', pattern: 'src/**/*.test.ts', limits: quick },
  { name: 'support', pattern: 'tests/support/**/*.test.ts', limits: quick },
  { name: 'contracts', pattern: 'tests/contracts/**/*.test.ts', limits: quick },
  { name: 'conformance', pattern: 'tests/conformance/**/*.test.ts', limits: quick },
  { name: 'faults', pattern: 'tests/faults/**/*.test.ts', limits: real },
  { name: 'real', pattern: 'tests/real/**/*.test.ts', limits: real },
];

async function main(patterns: readonly string[]): Promise<void> {
  const started = performance.now();
  const tally = emptyTally();
  const chosen = stages.map((stage) => ({ stage, files: filesOf(stage, patterns) }));
  if (patterns.length === 0) await check(tally);
  const preparing = prepareTools(chosen.flatMap(({ files }) => files));
  for (const { stage, files } of chosen) {
    if (files.length === 0) continue;
    if (stage.name === 'real') await preparing?.done;
    console.log(`\n${stage.name}`);
    await runTestFiles(root, files, stage.limits, tally);
  }
  if (patterns.length > 0 && chosen.every(({ files }) => files.length === 0)) {
    tally.failed++;
    tally.failures.push(`no test file matches ${patterns.join(' ')}`);
  }
  await preparing?.done;
  close(tally, (performance.now() - started) / 1000);
}

function filesOf(stage: Stage, patterns: readonly string[]): string[] {
  return globSync(stage.pattern, { cwd: root })
    .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
    .toSorted()
    .map((file) => join(root, file));
}

async function check(tally: Tally): Promise<void> {
  console.log('check');
  const results = await runChecks();
  printChecks(results);
  for (const result of results) {
    if (result.ok) tally.passed++;
    else {
      tally.failed++;
      tally.failures.push(`check: ${result.name}`);
    }
  }
}

/**
 * Builds what these files need and the machine lacks, tools and images, in the background, at low priority, for a bounded time; what
 * can't be had is told by the tests that skip. `undefined` where they need nothing.
 */
function prepareTools(files: readonly string[]): { done: Promise<void> } | undefined {
  const needs = toolNeeds(files.filter((file) => /tests\/(real|faults)\//.test(file)));
  const wanted = [...needs.bundles, ...(needs.images ? [imagesName] : [])];
  if (wanted.length === 0) return undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  // The tests read it as well, so that none of them starts a build later.
  process.env[buildsEndKey] = String(Date.now() + buildsMs);
  const script = join(root, 'tests', 'support', 'tools', 'prepare.ts');
  const child: ChildProcess = spawn(process.execPath, [script, ...wanted], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  child.on('error', () => resolve());
  child.on('close', () => resolve());
  const late = setTimeout(() => {
    child.kill('SIGTERM');
    resolve();
  }, buildsMs + buildsGraceMs);
  void promise.then(() => clearTimeout(late));
  process.on('exit', () => child.kill('SIGTERM'));
  return { done: promise };
}

function close(tally: Tally, seconds: number): void {
  if (tally.skips.length > 0) {
    console.log('\nskipped');
    for (const skip of tally.skips) console.log(`  ${skip}`);
  }
  if (tally.failures.length > 0) {
    console.log('\nfailed');
    for (const failure of tally.failures) console.log(`  ${failure.split('\n', 1)[0]}`);
  }
  console.log(`\nin ${seconds.toFixed(0)} s`);
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  process.exitCode = tally.failed === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));
}
await main(process.argv.slice(2));
