import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { createRecordingTerminal } from '../../../tests/support/rigs/recording-terminal.ts';
import { renderCsv } from './csv.ts';
import { printList } from './output.ts';
import { createTerminal } from './terminal.ts';

const hostile = 'a\u001b]0;owned\u0007b\u009b2Jc\nd';

test('stderr keeps its lines and nothing else that moves a cursor.', () => {
  const stderr = new PassThrough();
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr };
  createTerminal({ ...streams, env: {}, cwd: () => '/' } as unknown as NodeJS.Process).err(hostile);
  assert.equal(String(stderr.read()), 'a ]0;owned b 2Jc\nd');
});

test('Names are a line each, whatever is in them.', async () => {
  const terminal = createRecordingTerminal();
  const look = { columns: [], name: (item: string) => item };
  await printList(terminal, { output: 'name', headers: true }, { items: [hostile, 'e'] }, look);
  assert.equal(terminal.written.out, 'a ]0;owned b 2Jc d\ne\n');
});

test('JSON escapes what terminals may act on, and says the same.', async () => {
  const terminal = createRecordingTerminal();
  const look = { columns: [], name: String };
  await printList(terminal, { output: 'json', headers: true }, { items: [hostile] }, look);
  assert.doesNotMatch(terminal.written.out, /[^\n -~]/);
  assert.deepEqual(JSON.parse(terminal.written.out), { items: [hostile] });
});

test('CSV has its line ends in quotes, and no other control character.', () => {
  const value = (item: string): string => item;
  assert.equal(
    renderCsv([hostile], [{ header: 'image', value }], false),
    '"a ]0;owned b 2Jc\nd"\r\n',
  );
});
