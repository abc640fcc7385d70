import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { z } from 'zod';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-detect-'));
after(() => rmSync(folder, { recursive: true }));

/** Of stdin, or of the paths among the words. */
async function detect(input: string, ...words: readonly string[]): Promise<[number, string]> {
  const from = input === '' ? [] : ['-'];
  const { exit, out, err } = await runCommandLine(['-q', 'detect', ...from, ...words], {
    input,
    cwd: folder,
    env: { HOME: folder },
  });
  return [exit, err === '' ? out : err];
}

/** The table of images, without what follows it. */
function images(out: string): string {
  return `${out.split('\n\n')[0]?.trimEnd()}\n`;
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
    const [exit, out] = await detect(list);
    assert.deepEqual([exit, images(out)], [0, is]);
  });

test('--exit-code ends with 10 where an image is flagged, and with 0 elsewhere.', async () => {
  const [flagged] = await detect('k8s.gcr.io/pause:3.5', '--exit-code');
  const [clean] = await detect('registry.k8s.io/pause:3.5', '--exit-code');
  assert.deepEqual([flagged, clean], [10, 0]);
});

test('--exit-code ends with 7 where something could not be read and nothing was flagged.', async () => {
  writeFileSync(join(folder, 'broken.yaml'), 'kind: Pod\nspec: [\n');
  writeFileSync(
    join(folder, 'old.yaml'),
    'kind: Pod\nspec: {containers: [{image: k8s.gcr.io/a:1}]}\n',
  );
  const ends = async (...words: readonly string[]): Promise<number> =>
    (await detect('', ...words))[0];
  assert.equal(await ends('broken.yaml', '--exit-code'), 7);
  assert.equal(await ends('broken.yaml', 'old.yaml', '--exit-code'), 10);
  assert.equal(await ends('broken.yaml'), 0);
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
  const [exit, out] = await detect(list, '--registry-host', 'r.example.com');
  assert.deepEqual(
    [exit, images(out)],
    [
      0,
      `IMAGE                                    COUNT  FLAGS    NOW                        BECOMES
k8s.gcr.io/pause:3.9                     1      frozen   registry.k8s.io/pause:3.9  r.example.com/registry.k8s.io/pause:3.9
nginx:1                                  1      -        -                          r.example.com/docker.io/library/nginx:1
nowhere.example/a:1                      1      no-rule  -                          -
r.example.com/docker.io/library/nginx:1  1      -        -                          ours already
`,
    ],
  );
});

mkdirSync(join(folder, 'k8s', 'charts'), { recursive: true });
writeFileSync(
  join(folder, 'k8s', 'web.yaml'),
  `kind: Deployment
spec:
  template:
    spec:
      containers:
        - image: k8s.gcr.io/pause:3.5
        - image: quay.io/a/b:1
          env: [{name: SIDE_IMAGE, value: ghcr.io/a/side:2}]
`,
);
writeFileSync(
  join(folder, 'k8s', 'charts', 'values.yaml'),
  'image: {repository: quay.io/a/b, tag: "1"}\n',
);
writeFileSync(join(folder, 'k8s', 'broken.yaml'), 'a: [\n');

test('Files and folders are read, each place with its line and column.', async () => {
  const [exit, out] = await detect('', 'k8s', '-o', 'csv');
  assert.equal(exit, 0);
  assert.deepEqual(out.split('\r\n').slice(1), [
    'quay.io/a/b:1,2,image,,,,,,,image,k8s/charts/values.yaml,1,21',
    'quay.io/a/b:1,2,image,,,,,,,spec.template.spec.containers[1].image,k8s/web.yaml,7,18',
    'ghcr.io/a/side:2,1,review,review,,,,,,spec.template.spec.containers[1].env[0].value,k8s/web.yaml,8,43',
    'k8s.gcr.io/pause:3.5,1,image,frozen,registry.k8s.io/pause:3.5,,,,,spec.template.spec.containers[0].image,k8s/web.yaml,6,18',
    '',
  ]);
});

test('What can’t be read is named with its place, and the rest is read.', async () => {
  const [exit, out] = await detect('', 'k8s', '-o', 'json');
  const { notRead, items } = JSON.parse(out) as { notRead: { what: string }[]; items: unknown[] };
  assert.equal(exit, 0);
  assert.equal(items.length, 3);
  assert.match(notRead[0]?.what ?? '', /^k8s\/broken\.yaml:\d+:\d+$/);
});

test('A manifest on stdin is read as a file.', async () => {
  const pod = 'apiVersion: v1\nkind: Pod\nspec: {containers: [{image: "nginx:1"}]}\n';
  const [, yaml] = await detect(pod, '-o', 'csv');
  assert.match(yaml, /^nginx:1,1,image,,,,,,,spec\.containers\[0\]\.image,stdin,3,30\r$/m);
  const [, list] = await detect(
    '{"kind":"List","items":[{"kind":"Pod","spec":{"containers":[{"image":"a:1"}]}}]}',
  );
  assert.match(list, /^a:1 /m);
});

test('--only leaves images with these flags alone, and --exit-code goes by them.', async () => {
  const [exit, out] = await detect(
    'k8s.gcr.io/pause:3.5 nginx',
    '--only',
    'frozen,gone',
    '-o',
    'name',
  );
  assert.deepEqual([exit, out], [0, 'k8s.gcr.io/pause:3.5\n']);
  assert.equal((await detect('nginx', '--only', 'gone', '--exit-code'))[0], 0);
});

const refused: readonly {
  readonly that: string;
  readonly words: readonly string[];
  readonly is: RegExp;
  readonly exit: number;
}[] = [
  {
    that: 'A path that is not there is named.',
    words: ['gone'],
    is: /error: gone is not there/,
    exit: 3,
  },
  {
    that: 'Files and a cluster are two things.',
    words: ['k8s', '-n', 'x'],
    is: /files are read, or a cluster/,
    exit: 2,
  },
  { that: 'Files and stdin too.', words: ['k8s', '-'], is: /- and files/, exit: 2 },
  {
    that: 'A flag that is none is named.',
    words: ['k8s', '--only', 'stale'],
    is: /stale is no flag\n/,
    exit: 2,
  },
  {
    that: 'One namespace and all are two things.',
    words: ['-n', 'x', '-A'],
    is: /--namespace is one/,
    exit: 2,
  },
  {
    that: 'Without a kubeconfig it says what else can be read.',
    words: [],
    is: /no kubeconfig was found.*\nhint: .*name files, folders, or -/,
    exit: 2,
  },
  {
    that: 'A mapping that was asked for has to be there.',
    words: ['k8s', '--mapping', 'gone.yaml'],
    is: /gone\.yaml/,
    exit: 2,
  },
];

for (const { that, words, is, exit } of refused)
  test(that, async () => {
    const [code, text] = await detect('', ...words);
    assert.match(text, is);
    assert.equal(code, exit);
  });

test('Below the images stand their registries, with what egress has to allow.', async () => {
  const [, out] = await detect('4 nginx:1\n2 ghcr.io/a/b:1\n1 ghcr.io/a/c:1\n1 own.example/a:1');
  assert.equal(
    out.split('\n\n')[1],
    `HOST         IMAGES  COUNT  EGRESS
docker.io    1       4      registry-1.docker.io,auth.docker.io,production.cloudflare.docker.com,production.cloudfront.docker.com,docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com
ghcr.io      2       3      ghcr.io,pkg-containers.githubusercontent.com
own.example  1       1      own.example
`,
  );
  assert.doesNotMatch((await detect('nginx:1', '--no-headers'))[1], /\n\n/);
});

/** What of SARIF 2.1.0 is printed, with nothing beside it (docs.oasis-open.org/sarif/sarif/v2.1.0). */
const level = z.enum(['none', 'note', 'warning', 'error']);
const message = z.strictObject({ text: z.string().min(1) });
const sarif = z.strictObject({
  $schema: z.url(),
  version: z.literal('2.1.0'),
  runs: z.tuple([
    z.strictObject({
      tool: z.strictObject({
        driver: z.strictObject({
          name: z.string(),
          version: z.string(),
          rules: z.array(
            z.strictObject({
              id: z.string(),
              shortDescription: message,
              defaultConfiguration: z.strictObject({ level }),
            }),
          ),
        }),
      }),
      columnKind: z.enum(['utf16CodeUnits', 'unicodeCodePoints']),
      results: z.array(
        z.strictObject({
          ruleId: z.string(),
          ruleIndex: z.int().nonnegative(),
          level,
          message,
          locations: z.array(
            z.strictObject({
              physicalLocation: z.strictObject({
                artifactLocation: z.strictObject({
                  uri: z.string().regex(/^[\w.~!$&'()*+,;=:@%/-]+$/),
                }),
                region: z.strictObject({
                  startLine: z.int().positive(),
                  startColumn: z.int().positive(),
                }),
              }),
            }),
          ),
        }),
      ),
    }),
  ]),
});

test('SARIF has a result a flag and place, its rule by name and by index, and paths as URIs.', async () => {
  mkdirSync(join(folder, 'a b'), { recursive: true });
  const pod =
    'kind: Pod\nspec: {containers: [{image: "k8s.gcr.io/pause:3.5"}, {image: busybox}]}\n';
  writeFileSync(join(folder, 'a b', 'p#1.yaml'), pod);
  for (const [path, uri] of [
    ['a b', 'a%20b/p%231.yaml'],
    [join(folder, 'a b'), `file://${encodeURI(folder)}/a%20b/p%231.yaml`],
  ] as const) {
    const [exit, out] = await detect('', path, '-o', 'sarif');
    assert.equal(exit, 0);
    const [{ tool, results }] = sarif.parse(JSON.parse(out)).runs;
    assert.deepEqual(
      results.map((each) => [each.ruleId, tool.driver.rules[each.ruleIndex]?.id]),
      [
        ['unpinned', 'unpinned'],
        ['frozen', 'frozen'],
      ],
    );
    for (const { locations } of results)
      assert.equal(locations[0]?.physicalLocation.artifactLocation.uri, uri);
  }
});
