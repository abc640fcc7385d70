import { deepEqual, equal, match } from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';

const hourMs = 3_600_000;
const kinds = ['change', 'denial', 'login'] as const;
const people = ['arn:aws:iam::000000000000:root', 'arn:aws:iam::000000000000:user/ci'];

/** The newest first: entry 3000 of now, each before it a minute older. */
const entries = Array.from({ length: 3000 }, (_, n) => ({
  id: 3000 - n,
  at: new Date(Date.now() - n * 60_000).toISOString(),
  kind: kinds[n % 3] ?? '',
  principal: people[n % 2] ?? '',
  action: 'ecr:PutImage',
  resource: 'team/app',
  registry: '000000000000/us-east-1',
  outcome: 'allowed',
  address: '127.0.0.1',
  requestId: 'r',
  detail: {},
  count: 1,
}));

const asked: string[] = [];
const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '', 'http://server.test');
  const from = Number(searchParams.get('cursor') ?? 0);
  const to = from + Number(searchParams.get('limit'));
  asked.push(`${from}-${to}`);
  const next = to < entries.length ? String(to) : null;
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ items: entries.slice(from, to), next }));
});
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => server.close());

async function list(words: string): Promise<{ exit: number; ids: number[]; err: string }> {
  asked.length = 0;
  const { port } = server.address() as AddressInfo;
  const given = ['audit', 'ls', '--server', `http://127.0.0.1:${port}`, '-o', 'json'];
  const {
    exit,
    out: text,
    err,
  } = await runCommandLine([...given, ...words.split(' ').filter(Boolean)], {
    cwd: '/',
    env: { BREAKWATER_TOKEN: 'bw_x_y' },
  });
  const { items = [] } = (text === '' ? {} : JSON.parse(text)) as { items?: { id: number }[] };
  return { exit, ids: items.map(({ id }) => id), err };
}

const of = (fits: (entry: (typeof entries)[number]) => boolean): number[] =>
  entries.filter(fits).map(({ id }) => id);

suite('audit ls', () => {
  const rows: readonly (readonly [
    what: string,
    words: string,
    ids: readonly number[],
    pages: readonly string[],
  ])[] = [
    ['asks for no more than it shows', '--limit 3', [3000, 2999, 2998], ['0-3']],
    [
      'shows one kind',
      '--kind denial --limit 5',
      of(({ kind }) => kind === 'denial').slice(0, 5),
      ['0-1000'],
    ],
    [
      'shows one principal, of as many pages as it takes',
      '--principal user/ci --limit 600',
      of(({ principal }) => principal.endsWith('user/ci')).slice(0, 600),
      ['0-1000', '1000-2000'],
    ],
    [
      'shows what is young, and reads an hour beyond it',
      '--since 2h --limit 1000',
      of(({ at }) => Date.parse(at) >= Date.now() - 2 * hourMs + 30_000),
      ['0-1000'],
    ],
    [
      'shows what came after an entry, and reads no further',
      '--after 1500 --limit 100000',
      of(({ id }) => id > 1500),
      ['0-1000', '1000-2000'],
    ],
    [
      'shows what all of them admit',
      '--kind login --principal root --after 2900 --limit 100000',
      of(({ id, kind, principal }) => id > 2900 && kind === 'login' && principal.endsWith('root')),
      ['0-1000'],
    ],
  ];
  for (const [what, words, ids, pages] of rows)
    test(what, async () => {
      const listed = await list(words);
      equal(listed.exit, 0, listed.err);
      deepEqual(listed.ids, ids);
      deepEqual(asked, pages);
    });

  for (const [words, told] of [
    ['--since soon', /a duration, such as 90m/],
    ['--since 0s', /a duration, such as 90m/],
    ['--after x', /the id of an entry/],
    ['--kind theft', /Allowed choices are change, denial, login/],
  ] as const)
    test(`${words} is 2`, async () => {
      const { exit, err } = await list(words);
      equal(exit, 2);
      match(err, told);
      deepEqual(asked, []);
    });
});
