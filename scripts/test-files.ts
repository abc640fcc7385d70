// Runs test files, each in a process of its own, and adds up what they said.
import { run } from 'node:test';
import { relative } from 'node:path';

/** Sums over all files; `failures` and `skips` are ready to print. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  readonly failures: string[];
  readonly skips: string[];
}

/** How long one test, and one file as a whole, may take. */
export interface TestLimits {
  readonly testMs: number;
  readonly fileMs: number;
  readonly concurrency: number;
}

export function emptyTally(): Tally {
  return { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };
}

/** Runs `files` with at most `limits.concurrency` at once and adds to `tally`. A file that crashes or hangs is a failure. */
export async function runTestFiles(
  root: string,
  files: readonly string[],
  limits: TestLimits,
  tally: Tally,
): Promise<void> {
  const waiting = [...files];
  const lane = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      await runFile(root, file, limits, tally);
    }
  };
  await Promise.all(Array.from({ length: limits.concurrency }, lane));
}

async function runFile(
  root: string,
  file: string,
  limits: TestLimits,
  tally: Tally,
): Promise<void> {
  const name = relative(root, file);
  const one = emptyTally();
  const output: string[] = [];
  const started = performance.now();
  const limit = AbortSignal.timeout(limits.fileMs);
  const events = run({
    files: [file],
    concurrency: 1,
    timeout: limits.testMs,
    isolation: 'process',
    signal: limit,
  });
  try {
    for await (const event of events) {
      if (event.type === 'test:pass') notePass(name, event.data, one);
      else if (event.type === 'test:fail') noteFailure(name, event.data, one);
      else if (event.type === 'test:stdout' || event.type === 'test:stderr') {
        output.push(event.data.message);
        if (output.length > 400) output.shift();
      }
    }
  } catch (error) {
    one.failures.push(`${name}\n${indent(describe(error))}`);
    one.failed++;
  }
  if (limit.aborted) {
    one.failures.push(`${name}\n    did not end within ${limits.fileMs / 1000} s`);
    one.failed++;
  }
  report(name, one, output.join(''), performance.now() - started);
  tally.passed += one.passed;
  tally.failed += one.failed;
  tally.skipped += one.skipped;
  tally.failures.push(...one.failures);
  tally.skips.push(...one.skips);
}

interface Finished {
  readonly name: string;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: { readonly type?: string | undefined };
}

function notePass(file: string, test: Finished, tally: Tally): void {
  if (test.details.type === 'suite') return;
  if (test.skip !== undefined && test.skip !== false) {
    tally.skipped++;
    const reason =
      typeof test.skip === 'string' && test.skip !== '' ? test.skip : 'no reason given';
    tally.skips.push(`${file}: ${test.name}: ${reason}`);
  } else {
    tally.passed++;
  }
}

function noteFailure(
  file: string,
  test: Finished & { readonly details: { readonly error: Error } },
  tally: Tally,
): void {
  const error = test.details.error as Error & { failureType?: string };
  // The failing subtest was told already.
  if (error.failureType === 'subtestsFailed') return;
  tally.failed++;
  tally.failures.push(`${file}: ${test.name}\n${indent(describe(error.cause ?? error))}`);
}

function report(name: string, tally: Tally, output: string, durationMs: number): void {
  const parts = [`${tally.passed} passed`];
  if (tally.failed > 0) parts.push(`${tally.failed} failed`);
  if (tally.skipped > 0) parts.push(`${tally.skipped} skipped`);
  const seconds = (durationMs / 1000).toFixed(1);
  console.log(
    `${tally.failed === 0 ? 'ok  ' : 'FAIL'}  ${name}: ${parts.join(', ')} (${seconds} s)`,
  );
  if (tally.failed === 0) return;
  for (const failure of tally.failures) console.log(indent(failure));
  if (output.trim() !== '') console.log(indent(`its output:\n${output.slice(-6000).trimEnd()}`));
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `\ncause: ${describe(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
