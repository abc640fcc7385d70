// Commands without --config that speak of the configuration mean that of the server that runs on the data folder.
import { equal, match, ok } from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { runProgram } from '../../src/cli/program.ts';
import { createInspections } from '../../src/server/inspection.ts';
import type { Breakwater } from '../support/processes/breakwater.ts';
import { rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';
import { createRecordingTerminal } from '../support/rigs/recording-terminal.ts';

suite('a server that was started with --config, and commands without it', () => {
  let breakwater: Breakwater;
  let cwd = '';
  before(async () => {
    breakwater = await startBreakwater({ config: rulesOnly() });
    cwd = await mkdtemp(join(tmpdir(), 'breakwater-elsewhere-'));
    // Relative paths go from where the server was started. What stands there now is what a reload would take.
    const secrets = join(breakwater.dataDir, '..', 'secrets.yaml');
    await writeFile(secrets, 'one: { username: u, accessToken: t }\n', { mode: 0o600 });
    const rule = { prefix: 'up', upstream: 'http://127.0.0.1:9', credential: 'one' };
    await breakwater.configure({
      ...rulesOnly(rule),
      secretsFile: './secrets.yaml',
      publicUrl: 'https://registry.example',
    });
    await breakwater.restart();
  });
  after(async () => {
    await breakwater.close();
    await rm(cwd, { recursive: true, force: true });
  });

  async function run(...words: readonly string[]): Promise<string> {
    const terminal = createRecordingTerminal({
      cwd,
      env: { BREAKWATER__DATA_DIR: breakwater.dataDir },
    });
    const parts = {
      serve: () => Promise.resolve(0),
      inspections: (...given: Parameters<typeof createInspections>) =>
        Promise.resolve(createInspections(...given)),
    };
    equal(await runProgram(words, parts, terminal), 0, terminal.written.err);
    return terminal.written.out;
  }

  test('doctor checks the rules of the server, not the built-in ones', async () => {
    const out = await run('doctor', '--category', 'config');
    ok(out.includes(`√ is valid (${breakwater.configFile})`), out);
    match(out, /√ 1 rules, 0 of them built in/);
  });

  test('config print prints what is in force there', async () => {
    const out = await run('config', 'print');
    match(out, /upstream: http:\/\/127\.0\.0\.1:9 # \S*breakwater\.yaml:\d+\n/);
  });

  test('env leads clients to its public address', async () => {
    match(await run('env'), /^export AWS_ENDPOINT_URL='https:\/\/registry\.example'$/m);
  });
});
