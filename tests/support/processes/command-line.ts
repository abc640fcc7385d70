// The command line as an operator uses it: `bin/breakwater.mjs` as a process of its own, beside a running server or far from it.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import type { Breakwater } from './breakwater.ts';
import { runCommand } from '../tools/tools.ts';
import type { CommandResult } from '../tools/tools.ts';

export interface CommandLine {
  /** What the command prints; anything but exit code 0 throws with what it said. */
  print(...args: readonly string[]): Promise<string>;
  /** The same with `-o json`, parsed. */
  json<T>(...args: readonly string[]): Promise<T>;
  /** For commands that are to fail. */
  run(...args: readonly string[]): Promise<CommandResult>;
}

const program = fileURLToPath(new URL('../../../bin/breakwater.mjs', import.meta.url));

/** As the server's operator, by its data folder; with a token as whom it speaks for, by the server's address alone. */
export function commandLine(breakwater: Breakwater, token?: string): CommandLine {
  const run: CommandLine['run'] = async (...args) => {
    const place =
      token === undefined ? ['--data-dir', breakwater.dataDir] : ['--server', breakwater.url];
    return await runCommand(process.execPath, [program, ...args, ...place], {
      cwd: breakwater.dataDir,
      env: { BREAKWATER_TOKEN: token ?? '', NODE_TEST_CONTEXT: '' },
      timeoutMs: 60_000,
    });
  };
  const print: CommandLine['print'] = async (...args) => {
    const { code, stdout, stderr } = await run(...args);
    assert.equal(code, 0, `breakwater ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  return {
    run,
    print,
    json: async (...args) => JSON.parse(await print(...args, '-o', 'json')),
  };
}

/** A folder's file as the commands take it, in the form that `aws` has: `file://…`. */
export function policyFile(name: string): string {
  return `file://${fileURLToPath(new URL(`../../../examples/policies/${name}`, import.meta.url))}`;
}
