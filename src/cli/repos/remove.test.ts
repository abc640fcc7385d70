import { deepEqual, equal, match } from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';

/** What the server answers to each request in turn, by `METHOD path`; a number is a status. */
type Answers = Readonly<Record<string, readonly unknown[]>>;
let answers: Answers = {};
const asked: string[] = [];

const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    const url = new URL(request.url ?? '', 'http://server.test');
    const what = `${request.method} ${url.pathname.replace('/api/v1/', '')}`;
    const nth = asked.filter((each) => each.startsWith(what)).length;
    asked.push(`${what} ${body || url.searchParams.toString()}`);
    const answer = answers[what]?.[nth] ?? 404;
    const problem = { detail: 'refused', code: 'CODE', status: answer };
    if (typeof answer === 'number')
      return void response
        .writeHead(answer, { 'content-type': 'application/problem+json' })
        .end(JSON.stringify(problem));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
});
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => server.close());

async function run(words: string, given: Answers = {}) {
  answers = given;
  asked.length = 0;
  const { port } = server.address() as AddressInfo;
  const all = ['repos', 'rm', '--server', `http://127.0.0.1:${port}`, ...words.split(' ')];
  return runCommandLine(all, { cwd: '/', env: { BREAKWATER_TOKEN: 'bw_x_y' } });
}

const item = (repository: string, change: object = {}) => ({
  repository,
  madeBy: { by: 'pull', template: null, upstream: 'https://registry.k8s.io/' },
  outcome: 'deleted',
  because: null,
  bytes: 1024,
  rule: null,
  ...change,
});
const page = (items: readonly object[], next: string | null = null) => ({
  items,
  next,
  bytesFreedWithinSeconds: 7200,
});
const clean = 'POST repositories/clean-up';
const rule = (prefix: string, origin: string) => ({ rule: { prefix, origin } });
const rulesOf = (...origins: readonly string[]) => ({
  items: origins.map((origin) => ({ prefix: 'k8s', origin })),
  next: null,
});

suite('repos rm --prefix', () => {
  const usages: readonly (readonly [words: string, err: RegExp])[] = [
    ['--prefix k8s', /say --dry-run to see what would be deleted, or --yes/],
    ['--prefix k8s --dry-run --yes', /say --dry-run/],
    ['--prefix k8s --force --yes', /--force needs --all/],
    ['--prefix= --yes', /is empty/],
    ['--prefix / --yes', /is empty/],
    ['team/app --prefix k8s --yes', /name the repositories, or say --prefix/],
    ['team/app --with-rule', /--with-rule needs --prefix/],
    ['team/app --all', /--all needs --prefix/],
    ['team/app --dry-run', /--dry-run needs --prefix/],
  ];
  for (const [words, err] of usages)
    test(`${words} is 2, and nothing is asked`, async () => {
      const ended = await run(words);
      equal(ended.exit, 2);
      match(ended.err, err);
      deepEqual(asked, []);
    });

  test('asks for page after page, and tells what was deleted, what stays and what is freed', async () => {
    const kept = item('k8s/mine', { outcome: 'kept', because: 'it was pushed', bytes: 0 });
    const { exit, out, err } = await run('--prefix k8s/ --yes', {
      [clean]: [page([item('k8s'), item('k8s/a')], 'c'), page([kept])],
    });
    equal(exit, 0);
    match(out, /^k8s +pull +deleted +1.0 KiB +-$/m);
    match(out, /^k8s\/mine +pull +kept +0 B +it was pushed$/m);
    match(err, /^deleted 2 repositories, 1 stays; 2.0 KiB that .* are off the disk within 2h$/m);
    const body = { prefix: 'k8s', all: false, force: false, dryRun: false, limit: 25 };
    deepEqual(asked, [
      `${clean} ${JSON.stringify(body)}`,
      `${clean} ${JSON.stringify({ ...body, cursor: 'c' })}`,
    ]);
  });

  test('tells of each rule that a pull would make repositories again by', async () => {
    const { err } = await run('--prefix k8s --yes', {
      [clean]: [
        page([
          item('k8s', rule('k8s', 'builtin')),
          item('k8s/a', rule('k8s', 'builtin')),
          item('k8s/b', rule('ROOT', 'file')),
          item('k8s/c', { ...rule('x', 'api'), outcome: 'kept' }),
        ]),
      ],
    });
    match(err, /^the built-in rule k8s stays: a pull through it makes the 2 repositories again$/m);
    match(err, /^the rule of the configuration file ROOT stays: .* makes the repository again$/m);
    equal(err.includes('rule x'), false);
  });

  const withRule: readonly {
    readonly name: string;
    readonly words: string;
    readonly given: Answers;
    readonly asks: readonly string[];
    readonly err: RegExp;
  }[] = [
    {
      name: 'deletes the rule first, and says whose comes back',
      words: '--yes',
      given: {
        'GET rules': [rulesOf('api', 'builtin')],
        'DELETE rules': [{ restored: 'builtin' }],
      },
      asks: ['GET rules prefix=k8s', 'DELETE rules prefix=k8s'],
      err: /^deleted the rule k8s\nthe built-in rule of that prefix is in force again\n/,
    },
    {
      name: 'leaves a rule of the file, and says so',
      words: '--yes',
      given: { 'GET rules': [rulesOf('file')] },
      asks: ['GET rules prefix=k8s'],
      err: /^the rule of the configuration file has the prefix k8s, and stays\n/,
    },
    {
      name: 'goes on where the rule is gone already',
      words: '--yes',
      given: {},
      asks: ['GET rules prefix=k8s'],
      err: /^no rule has the prefix k8s\n/,
    },
    {
      name: 'foresees both',
      words: '--dry-run',
      given: { 'GET rules': [rulesOf('api', 'file')] },
      asks: ['GET rules prefix=k8s'],
      err: /^the rule k8s would be deleted first\nthe rule of the configuration file of that prefix would be in force again\n/,
    },
  ];
  for (const { name, words, given, asks, err } of withRule)
    test(`--with-rule ${name}`, async () => {
      const cleaned = { [clean]: [page([item('k8s', rule('k8s', 'api'))])] };
      const ended = await run(`--prefix k8s --with-rule ${words}`, { ...given, ...cleaned });
      equal(ended.exit, 0);
      deepEqual(asked.slice(0, -1), asks);
      match(ended.err, err);
      equal(ended.err.includes('the rule k8s stays'), words === '--yes');
    });

  test('deletes no repository where the rule can not be deleted', async () => {
    const given = { 'GET rules': [rulesOf('api')], 'DELETE rules': [403], [clean]: [page([])] };
    const { exit } = await run('--prefix k8s --with-rule --yes', given);
    equal(exit, 4);
    deepEqual(
      asked.filter((each) => each.startsWith(clean)),
      [],
    );
  });

  test('ends with 7 where some were refused, and with 4 where all were', async () => {
    const refused = item('k8s/a', { outcome: 'refused', because: 'not allowed' });
    equal((await run('--prefix k8s --yes', { [clean]: [page([item('k8s'), refused])] })).exit, 7);
    equal((await run('--prefix k8s --yes', { [clean]: [page([refused])] })).exit, 4);
  });

  test('tells what was deleted before a page that fails', async () => {
    const { exit, err } = await run('--prefix k8s --yes', {
      [clean]: [page([item('k8s')], 'c'), 503],
    });
    equal(exit, 5);
    match(err, /^1 repository was deleted before this; say it again to go on\nerror: refused/);
  });

  test('names those alone that are deleted where names are asked for', async () => {
    const kept = item('k8s/mine', { outcome: 'kept' });
    const given = { [clean]: [page([item('k8s'), kept])] };
    equal((await run('--prefix k8s --dry-run -o name', given)).out, 'k8s\n');
  });
});
