import { equal, match } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite, test } from 'node:test';

const moduleUrl = new URL('unforeseen-errors.ts', import.meta.url).href;

/** Runs `fault` in a process that watches; it would end by itself with 0 and say that it went on. */
function run(fault: string): { readonly status: number | null; readonly stdout: string } {
  const script = `
    import { watchUnforeseenErrors } from ${JSON.stringify(moduleUrl)};
    const log = { error: (message, fields) => console.log(message, fields.error) };
    watchUnforeseenErrors(log, () => process.exit(1));
    const fault = () => new Error('what broke', { cause: new Error('the disk') });
    ${fault}
    setTimeout(() => console.log('went on'), 20);
  `;
  const args = ['--input-type=module', '--eval', script];
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  return spawnSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: 30_000 });
}

suite('what no code caught is told with its cause, and', () => {
  test('a rejected promise does not end the server', () => {
    const { status, stdout } = run('Promise.reject(fault());');
    equal(status, 0);
    match(stdout, /nobody waiting.*what broke[^]*caused by Error: the disk[^]*went on/);
  });

  test('an exception ends it with a status that is not 0', () => {
    const { status, stdout } = run('setImmediate(() => { throw fault(); });');
    equal(status, 1);
    match(stdout, /ends the server.*what broke[^]*caused by Error: the disk/);
    equal(stdout.includes('went on'), false);
  });

  test('what is no error is told too', () => {
    match(run("Promise.reject('odd');").stdout, /nobody waiting.*odd[^]*went on/);
  });
});
