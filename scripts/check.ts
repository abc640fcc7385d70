// Types, lint, format, dead code and what tests alone use, side by side. Exit code 1 on any finding.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = ['src', 'tests', 'scripts'].filter((folder) => existsSync(join(root, folder)));

/** One check: what it is called, and the package's script with its arguments. */
export interface Check {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
}

/** What a check said; `seconds` is wall clock. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly output: string;
  readonly seconds: number;
}

const knipArgs: readonly string[] = ['--no-progress', '--no-config-hints'];

const checks: readonly Check[] = [
  { name: 'types', script: 'typescript/bin/tsc', args: ['-p', '.', '--pretty', 'false'] },
  { name: 'lint', script: 'oxlint/bin/oxlint', args: ['--deny-warnings', ...sources] },
  { name: 'format', script: 'oxfmt/bin/oxfmt', args: ['--check', ...sources] },
  { name: 'dead code', script: 'knip/bin/knip.js', args: knipArgs },
  { name: 'for tests alone', script: 'knip/bin/knip.js', args: [...knipArgs, '--production'] },
];

/** Runs every check at once; never throws for a finding. */
export async function runChecks(): Promise<readonly CheckResult[]> {
  return await Promise.all(checks.map(runCheck));
}

async function runCheck(check: Check): Promise<CheckResult> {
  const started = performance.now();
  const script = join(root, 'node_modules', check.script);
  const { promise, resolve } = Promise.withResolvers<{ ok: boolean; output: string }>();
  const child = spawn(process.execPath, [script, ...check.args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  child.stderr.on('data', (part: Buffer) => parts.push(part));
  const deadline = setTimeout(() => child.kill('SIGKILL'), 180_000);
  child.on('error', (error) => resolve({ ok: false, output: error.message }));
  child.on('close', (code, signal) => {
    const note = signal === null ? '' : `\nended by ${signal}`;
    resolve({ ok: code === 0, output: Buffer.concat(parts).toString('utf8').trimEnd() + note });
  });
  const { ok, output } = await promise;
  clearTimeout(deadline);
  return { name: check.name, ok, output, seconds: (performance.now() - started) / 1000 };
}

/** Prints one line per check, and a failed one's output under it. */
export function printChecks(results: readonly CheckResult[]): void {
  for (const result of results) {
    console.log(
      `${result.ok ? 'ok  ' : 'FAIL'}  ${result.name.padEnd(15)} ${result.seconds.toFixed(1)} s`,
    );
    if (!result.ok) console.log(result.output.replaceAll(/^/gm, '      '));
  }
}

if (import.meta.main) {
  const results = await runChecks();
  printChecks(results);
  process.exitCode = results.every((result) => result.ok) ? 0 : 1;
}
