import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { allCommands } from './commands.ts';
import { createProgram } from './program.ts';
import { createRecordingTerminal } from '../../tests/support/rigs/recording-terminal.ts';
import { commandsOf, helpOf, pathOf, renderReference } from './manual.ts';

const update = process.env['UPDATE_GOLDEN'] === '1';
const helpFolder = new URL('./testdata/help/', import.meta.url);
const referenceFile = new URL('../../docs/cli.md', import.meta.url);

const program = createProgram(
  {
    terminal: createRecordingTerminal(),
    parts: { serve: () => Promise.resolve(0), inspections: () => Promise.resolve([]) },
    end: () => undefined,
  },
  allCommands,
);
const commands = commandsOf(program);

for (const command of commands) {
  const name = pathOf(command).replaceAll(' ', '-');
  test(`the help of ${pathOf(command)} is the golden one`, () => {
    compare(new URL(`${name}.txt`, helpFolder), helpOf(command));
  });
}

test('no golden help is left over', () => {
  const known = commands.map((command) => `${pathOf(command).replaceAll(' ', '-')}.txt`);
  assert.deepEqual(readdirSync(helpFolder).toSorted(), known.toSorted());
});

test('docs/cli.md says what the help texts say', () => {
  compare(referenceFile, renderReference(program));
});

test('every command that does something has examples', () => {
  const bare = commands
    .filter((command) => command.commands.length === 0 && command.name() !== 'help')
    .filter((command) => !/^Examples:$/m.test(helpOf(command)))
    .map(pathOf);
  assert.deepEqual(bare, []);
});

function compare(file: URL, text: string): void {
  if (update) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'), 'UPDATE_GOLDEN=1 writes it anew');
}
