import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createRecordingTerminal } from '../../../tests/support/rigs/recording-terminal.ts';
import { runProgram } from '../program.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-detect-'));
after(() => rmSync(folder, { recursive: true }));

async function detect(input: string, ...words: readonly string[]): Promise<[number, string]> {
  const terminal = createRecordingTerminal({ input: () => Promise.resolve(input), cwd: folder });
  const parts = { serve: () => Promise.resolve(0), inspections: () => Promise.resolve([]) };
  const exit = await runProgram(['-q', 'detect', '-', ...words], parts, terminal);
  return [exit, terminal.written.err === '' ? terminal.written.out : terminal.written.err];
}

const lists: readonly { readonly that: string; readonly list: string; readonly is: string }[] = [
  {
    that: 'uniq -c counts, and what is used most comes first.',
    list: '      2 nginx:1.27\n     12 k8s.gcr.io/pause:3.5\n',
    is: `IMAGE                 COUNT  FLAGS   NOW
k8s.gcr.io/pause:3.5  12     frozen  registry.k8s.io/pause:3.5
nginx:1.27            2      -       -
`,
  },
  {
    that: 'Blanks part images, and each time counts.',
    list: 'quay.io/a/b:1 quay.io/a/b:1\r\n\n# quay.io/c:2\nquay.io/a/b:1',
    is: `IMAGE          COUNT  FLAGS  NOW
quay.io/a/b:1  3      -      -
`,
  },
  {
    that: 'latest, no tag and a tag without a version are unpinned; a digest is not.',
    list: `a:latest b c:stable d@sha256:${'a'.repeat(64)} e:v1`,
    is: `IMAGE                                                                      COUNT  FLAGS     NOW
a:latest                                                                   1      unpinned  -
b                                                                          1      unpinned  -
c:stable                                                                   1      unpinned  -
d@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  1      -         -
e:v1                                                                       1      -         -
`,
  },
  {
    that: 'A template and a word in capitals are no image names.',
    list: '{{.Image}} UPPER',
    is: `IMAGE       COUNT  FLAGS          NOW
UPPER       1      no-image-name  -
{{.Image}}  1      no-image-name  -
`,
  },
];

for (const { that, list, is } of lists)
  test(that, async () => {
    assert.deepEqual(await detect(list), [0, is]);
  });

test('--exit-code ends with 10 where an image is flagged, and with 0 elsewhere.', async () => {
  const [flagged] = await detect('k8s.gcr.io/pause:3.5', '--exit-code');
  const [clean] = await detect('registry.k8s.io/pause:3.5', '--exit-code');
  assert.deepEqual([flagged, clean], [10, 0]);
});

test('CSV has a row a place, and no text that a spreadsheet takes for a formula.', async () => {
  const [, out] = await detect('2 a:1\n=cmd()\n"x,y"', '-o', 'csv');
  assert.equal(
    out,
    [
      'image,count,certainty,flags,now,becomes,kind,namespace,name,field,file,line,column',
      'a:1,2,image,,,,,,,,stdin,1,3',
      '"""x,y""",1,image,no-image-name,,,,,,,stdin,3,1',
      `'=cmd(),1,image,no-image-name,,,,,,,stdin,2,1`,
      '',
    ].join('\r\n'),
  );
});

test('With a host each image says what it becomes, and why it stays.', async () => {
  const list =
    'k8s.gcr.io/pause:3.9 nginx:1 r.example.com/docker.io/library/nginx:1  nowhere.example/a:1';
  assert.deepEqual(await detect(list, '--registry-host', 'r.example.com'), [
    0,
    `IMAGE                                    COUNT  FLAGS    NOW                        BECOMES
k8s.gcr.io/pause:3.9                     1      frozen   registry.k8s.io/pause:3.9  r.example.com/registry.k8s.io/pause:3.9
nginx:1                                  1      -        -                          r.example.com/docker.io/library/nginx:1
nowhere.example/a:1                      1      no-rule  -                          -
r.example.com/docker.io/library/nginx:1  1      -        -                          ours already
`,
  ]);
});
