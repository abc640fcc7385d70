import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { allCommands } from './commands.ts';
import { createProgram } from './program.ts';
import { createRecordingTerminal } from '../../tests/support/rigs/recording-terminal.ts';
import {
  commandsOf,
  helpOf,
  pathOf,
  renderManual,
  section,
} from '../../tests/support/checkout/command-manual.ts';

const manualFile = new URL('../../docs/cli.md', import.meta.url);

const program = createProgram(
  {
    terminal: createRecordingTerminal(),
    parts: { serve: () => Promise.resolve(0), inspections: () => Promise.resolve([]) },
    end: () => undefined,
  },
  allCommands,
);
const commands = commandsOf(program);

if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(manualFile, renderManual(program));
const manual = readFileSync(manualFile, 'utf8');

for (const command of commands) {
  const path = pathOf(command);
  test(`docs/cli.md has the help of ${path}`, () => {
    const begin = manual.indexOf(`## ${path}\n`);
    const end = manual.indexOf('\n## ', begin);
    assert.equal(manual.slice(begin, end), section(path, helpOf(command)));
  });
}

test('docs/cli.md has nothing else but its preface and the exit codes', () => {
  assert.equal(manual, renderManual(program), 'UPDATE_GOLDEN=1 writes it anew');
});

test('every command that does something has examples', () => {
  const bare = commands
    .filter((command) => command.commands.length === 0 && command.name() !== 'help')
    .filter((command) => !/^Examples:$/m.test(helpOf(command)))
    .map(pathOf);
  assert.deepEqual(bare, []);
});
