import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';
import type { ServedFolder } from '../../../tests/support/processes/served-folder.ts';
import { serveFolder } from '../../../tests/support/processes/served-folder.ts';

type Sent = Readonly<Record<string, unknown>>;

/** What the server answers, by `METHOD path`. */
let answers: Readonly<Record<string, unknown>> = {};
/** The query or body of the last request. */
let sent: Sent = {};
let served: ServedFolder;
const folder = mkdtempSync(join(tmpdir(), 'breakwater-lifecycle-'));
const dataDir = join(folder, 'data');

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://server.test');
  const body = await text(request);
  sent = body === '' ? Object.fromEntries(searchParams) : (JSON.parse(body) as Sent);
  const found = answers[`${request.method} ${pathname.replace('/api/v1/', '')}`];
  const answer = typeof found === 'function' ? (found(sent) as unknown) : found;
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
});

before(async () => {
  writeFileSync(join(folder, 'policy.json'), '{"from": "file"}');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  served = await serveFolder(dataDir, 'AKIATEST:s3cret');
  await served.record({ listen: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await served[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

interface Row {
  readonly name: string;
  readonly words: string;
  readonly input?: string;
  readonly answers: Readonly<Record<string, unknown>>;
  /** Of the last request. */
  readonly sent?: Sent;
  readonly exit?: number;
  readonly out?: RegExp;
  readonly err?: RegExp;
}

const rows: readonly Row[] = [
  {
    name: 'lifecycle check says what each rule means, and what it says in vain',
    words: 'lifecycle check policy.json',
    answers: {
      'POST lifecycle-policies/check': {
        valid: true,
        problems: [],
        rules: [
          { priority: 1, description: 'old', meaning: 'expires images', warnings: ['never acts'] },
          { priority: 9, description: null, meaning: 'expires all', warnings: [] },
        ],
      },
    },
    sent: { policy: '{"from": "file"}' },
    out: /^rule 1 expires images \(old\)\n {2}warning: never acts\nrule 9 expires all\n$/,
  },
  {
    name: 'lifecycle check tells each problem and is 2',
    words: 'lifecycle check -',
    input: '{}',
    answers: {
      'POST lifecycle-policies/check': {
        valid: false,
        problems: [
          { field: '', what: 'no rules.', fix: 'add rules' },
          { field: 'rules[0]', what: 'too old', fix: 'write 1' },
        ],
        rules: [],
      },
    },
    sent: { policy: '{}' },
    exit: 2,
    err: /^error: no rules; add rules\nerror: rules\[0\]: too old; write 1\n$/,
  },
  {
    name: 'lifecycle check of a wrong policy as JSON is 2 too',
    words: 'lifecycle check - -o json',
    input: '{}',
    answers: { 'POST lifecycle-policies/check': { valid: false, problems: [], rules: [] } },
    exit: 2,
    out: /"valid": false/,
  },
  {
    name: 'lifecycle explain says why, and that there is more',
    words: 'lifecycle explain team/app --image v1 --image v2 --limit 1 --region eu-west-1',
    answers: {
      'POST lifecycle-policies/explain': {
        items: [
          {
            digest: 'sha256:aa',
            tags: ['v1', 'v2'],
            pushedAt: 'then',
            fate: 'keep',
            priority: null,
            because: 'no rule',
          },
        ],
        next: 'more',
      },
    },
    sent: { repository: 'team/app', region: 'eu-west-1', images: ['v1', 'v2'], limit: 1 },
    out: /^FATE +TAGS +DIGEST +BECAUSE\nkeep +v1,v2 +sha256:aa +no rule\n$/,
    err: /first 1; --limit shows more/,
  },
  {
    name: 'lifecycle explain of another policy sends its text, and asks for all pages',
    words: 'lifecycle explain team/app --file policy.json --limit 1500 -o name',
    answers: {
      'POST lifecycle-policies/explain': ({ cursor }: Sent) => {
        const first = cursor === undefined;
        const items = Array.from({ length: first ? 1000 : 20 }, (_, at) => ({ digest: `d${at}` }));
        return { items, next: first ? 'more' : null };
      },
    },
    sent: {
      repository: 'team/app',
      policy: '{"from": "file"}',
      limit: 500,
      cursor: 'more',
    },
    out: /^(?:d\d+\n){1020}$/,
    err: /^$/,
  },
  {
    name: 'lifecycle set sends the text, and warns of what it says in vain',
    words: 'lifecycle set team/app',
    input: '{"a": 1}\n',
    answers: {
      'POST lifecycle-policies/check': {
        valid: true,
        problems: [],
        rules: [{ priority: 3, description: null, meaning: '', warnings: ['never acts'] }],
      },
      'PUT lifecycle-policy': {},
    },
    sent: { repository: 'team/app', policy: '{"a": 1}\n' },
    err: /^warning: rule 3 never acts\nset; it acts for the first time in an hour\n$/,
  },
  {
    name: 'lifecycle get prints the text as it was set',
    words: 'lifecycle get team/app',
    answers: { 'GET lifecycle-policy': { policy: '{ "rules":[] }' } },
    sent: { repository: 'team/app' },
    out: /^\{ "rules":\[\] \}\n$/,
  },
  {
    name: 'lifecycle rm deletes it',
    words: 'lifecycle rm team/app',
    answers: { 'DELETE lifecycle-policy': {} },
    sent: { repository: 'team/app' },
    err: /^deleted/,
  },
];

for (const row of rows)
  test(row.name, async () => {
    answers = row.answers;
    const { exit, out, err } = await runCommandLine(
      [...row.words.split(' '), '--data-dir', dataDir],
      {
        cwd: folder,
        env: {},
        input: row.input ?? '',
      },
    );
    assert.equal(exit, row.exit ?? 0, err);
    if (row.sent !== undefined) assert.deepEqual(sent, row.sent);
    if (row.out !== undefined) assert.match(out, row.out);
    if (row.err !== undefined) assert.match(err, row.err);
  });
