import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import type { FakeClock } from '../../tests/support/rigs/fake-clock.ts';
import type { Digest } from '../domain/names/digest.ts';
import { homeRegistry } from '../../tests/support/samples/home-registry.ts';
import type { Served } from '../domain/served.ts';
import type { PullRecord } from '../domain/pull-record.ts';
import { createLog } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { PullRecorder } from './pull-recorder.ts';
import { createPullRecorder, PulledImage } from './pull-recorder.ts';
import { createTelemetry, formatBytes, formatSeconds } from './telemetry.ts';

const hourMs = 3_600_000;
const digest = `sha256:${'a'.repeat(64)}` as Digest;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Recorded {
  readonly clock: FakeClock;
  readonly recorder: PullRecorder;
  readonly written: PullRecord[][];
  readonly pruned: { readonly before: number; readonly now: number; readonly rowsMax: number }[];
  readonly failures: string[];
  fail: boolean;
}

function record(): Recorded {
  const clock = createFakeClock(500 * hourMs);
  const recorded: Omit<Recorded, 'recorder'> = {
    clock,
    written: [],
    pruned: [],
    failures: [],
    fail: false,
  };
  const recorder = createPullRecorder({
    clock,
    record: (pulls) => {
      if (state.fail) return Promise.reject(new Error('disk full'));
      recorded.written.push([...pulls]);
      return Promise.resolve();
    },
    prune: (input) => {
      recorded.pruned.push(input);
      return Promise.resolve();
    },
    onFailure: (message) => recorded.failures.push(message),
  });
  const state: Recorded = { ...recorded, recorder };
  return state;
}

function pull(image: string, at: number, clientAddress = 'c'): Omit<PullRecord, 'count'> {
  return {
    registry: homeRegistry,
    clientAddress,
    ns: '',
    image,
    digest: undefined,
    verdict: 'hit',
    at,
  };
}

function addTo(recorder: PullRecorder, added: Omit<PullRecord, 'count'>): void {
  recorder.add(new PulledImage(added), added.clientAddress, added.principal, added.at);
}

suite('pull recorder', () => {
  test('the same pull in the same hour is one row with a count, written after 10 s', async () => {
    const { clock, recorder, written } = record();
    const start = clock.now();
    addTo(recorder, pull('a:1', start + 5));
    addTo(recorder, pull('a:1', start));
    addTo(recorder, pull('a:1', start + hourMs));
    clock.advance(9999);
    await settled();
    equal(written.length, 0);
    clock.advance(1);
    await settled();
    deepEqual(written, [
      [
        { ...pull('a:1', start + 5), count: 2 },
        { ...pull('a:1', start + hourMs), count: 1 },
      ],
    ]);
    clock.advance(30_000);
    await settled();
    equal(written.length, 1);
  });

  test('5,000 distinct rows are written before their time, 500 at once', async () => {
    const { clock, recorder, written } = record();
    for (let index = 0; index < 5000; index += 1)
      addTo(recorder, pull(`a:${index}`, clock.now(), `10.0.0.${index % 5}`));
    await settled();
    deepEqual(
      written.map((one) => one.length),
      Array.from({ length: 10 }, () => 500),
    );
  });

  test('what could not be written is kept, counted on and tried again; beyond the bound it is said', async () => {
    const state = record();
    const { clock, recorder, written, failures } = state;
    state.fail = true;
    addTo(recorder, pull('a:1', clock.now()));
    clock.advance(10_000);
    await settled();
    equal(failures.length, 1);
    addTo(recorder, pull('a:1', clock.now()));
    for (let index = 0; index < 25_000; index += 1)
      addTo(recorder, pull(`b:${index}`, clock.now(), `10.0.0.${index % 50}`));
    equal(failures.length, 1);
    state.fail = false;
    clock.advance(10_000);
    await settled();
    equal(written.flat().length, 20_000);
    equal(written.flat().find((row) => row.image === 'a:1')?.count, 2);
    match(failures[1] ?? '', /^5001 pulls were not recorded/);
  });

  test('one client adds 1,000 rows between two flushes, and takes no place from the others', async () => {
    const { clock, recorder, written, failures } = record();
    for (let index = 0; index < 3000; index += 1)
      addTo(recorder, pull(`a:${index}`, clock.now(), `2001:db8:0:1::${index.toString(16)}`));
    addTo(recorder, pull('b:1', clock.now(), '2001:db8:0:2::1'));
    clock.advance(10_000);
    await settled();
    equal(written.flat().length, 1001);
    equal(written.flat().at(-1)?.image, 'b:1');
    deepEqual(failures, ['2000 pulls were not recorded']);
    addTo(recorder, pull('a:2999', clock.now(), '2001:db8:0:1::1'));
    clock.advance(10_000);
    await settled();
    equal(written.flat().length, 1002);
  });

  test('rows that cannot be written are bounded by their length too', async () => {
    const state = record();
    const { clock, recorder, written } = state;
    state.fail = true;
    const name = 'n'.repeat(2000);
    for (let index = 0; index < 10_000; index += 1)
      addTo(recorder, pull(`${name}:${index}`, clock.now(), `10.0.0.${index % 50}`));
    await settled();
    state.fail = false;
    clock.advance(10_000);
    await settled();
    const rows = written.flat().length;
    ok(rows > 3000 && rows * name.length < 8 * 1024 * 1024, String(rows));
  });

  test('pulls from one address are told apart by who pulls, also when they are written later', async () => {
    const state = record();
    const { clock, recorder, written } = state;
    const at = clock.now();
    const by = (principal: string | undefined) =>
      addTo(recorder, { ...pull('a:1', at), principal });
    for (const principal of ['ann', 'bob', undefined, 'ann', 'bob', 'ann']) by(principal);
    state.fail = true;
    clock.advance(10_000);
    await settled();
    by('bob');
    state.fail = false;
    clock.advance(10_000);
    await settled();
    const counts = written.flat().map(({ principal, count }) => [principal, count] as const);
    deepEqual(
      new Map(counts),
      new Map([
        [undefined, 1],
        ['bob', 3],
        ['ann', 3],
      ] as const),
    );
    equal(counts.length, 3);
  });

  test('the bound of what is stored holds while rows come, not only every hour', async () => {
    const { clock, recorder, pruned } = record();
    for (let flush = 0; flush < 45; flush += 1) {
      for (let index = 0; index < 1000; index += 1)
        addTo(recorder, pull(`a:${flush}-${index}`, clock.now()));
      clock.advance(1000);
      clock.advance(9000);
      await settled();
    }
    // Every 20,000 rows, besides the one at 60 s.
    equal(pruned.length, 3);
  });

  test('closing writes what is left and stops the clock', async () => {
    const { clock, recorder, written } = record();
    addTo(recorder, pull('a:1', clock.now()));
    await recorder[Symbol.asyncDispose]();
    equal(written.flat().length, 1);
    equal(clock.pending, 0);
  });

  test('old rows are dropped soon after the start and every hour', async () => {
    const { clock, pruned } = record();
    clock.advance(60_000);
    const now = clock.now();
    const before = now - 30 * 24 * hourMs;
    deepEqual(pruned, [{ before, now, rowsMax: 1_000_000 }]);
    clock.advance(2 * hourMs);
    equal(pruned.length, 3);
    clock.setNow(clock.now() + 1000 * 24 * hourMs);
    clock.advance(hourMs);
    equal(pruned[3]?.before, before + 3 * hourMs, 'a clock that is set forward makes nothing old');
  });
});

function build(format: 'json' | 'text') {
  const clock = createFakeClock(0);
  const pulls: Omit<PullRecord, 'count'>[] = [];
  const counted: string[] = [];
  let text = '';
  const output = {
    write: (lines: string) => void (text += lines),
    flushSync: () => {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const telemetry = createTelemetry({
    registry: homeRegistry,
    clock,
    log: createLog({ output, clock, format, level: 'info' }),
    metrics: {
      emit: (event) => counted.push(event.type),
      counterOf: () => ({ count: () => void counted.push('served') }),
    } as Partial<Metrics> as Metrics,
    pulls: {
      add: (image, clientAddress, _principal, at) =>
        pulls.push({ ...image.pulled, clientAddress, at }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    accessLog: undefined,
  });
  return { telemetry, pulls, counted, text: () => text };
}

function served(method: string, status: number, note: Partial<Served['reply']['note']>): Served {
  return {
    request: { id: 'r', method, query: '', headers: {}, clientAddress: '10.0.0.9' },
    reply: {
      status,
      note: {
        route: 'manifest',
        repository: 'docker.io/library/nginx',
        reference: '1.27',
        verdict: 'hit',
        ...note,
      },
    },
    bytes: 1,
    durationMs: 1,
    complete: true,
  };
}

suite('telemetry', () => {
  const rows: readonly (readonly [name: string, exchange: Served, image: string | undefined])[] = [
    ['a GET by tag', served('GET', 200, {}), 'docker.io/library/nginx:1.27'],
    [
      'a HEAD by tag, as containerd asks first',
      served('HEAD', 200, {}),
      'docker.io/library/nginx:1.27',
    ],
    [
      'a GET by digest',
      served('GET', 200, { reference: digest }),
      `docker.io/library/nginx@${digest}`,
    ],
    ['one not modified', served('GET', 304, {}), 'docker.io/library/nginx:1.27'],
    ['a blob', served('GET', 200, { route: 'blob' }), undefined],
    ['a denied one', served('GET', 401, {}), undefined],
    ['one refused by a policy', served('GET', 403, { verdict: 'error' }), undefined],
    ['a tag that upstream lacks', served('GET', 404, { verdict: 'error' }), undefined],
    ['one whose absence is remembered', served('HEAD', 404, { verdict: 'negative' }), undefined],
    ['one that upstream holds back', served('GET', 429, { verdict: 'error' }), undefined],
    ['one that failed here', served('GET', 500, { verdict: 'error' }), undefined],
    ['an upstream that failed', served('GET', 503, { verdict: 'error' }), undefined],
    [
      'one that the cache never saw',
      { ...served('GET', 404, {}), reply: { status: 404, note: { route: 'manifest' } } },
      undefined,
    ],
    ['another method', served('PUT', 405, { verdict: 'error' }), undefined],
  ];
  for (const [name, exchange, image] of rows) {
    test(`${name} is ${image === undefined ? 'no pull' : 'a pull'}`, () => {
      const { telemetry, pulls, counted } = build('json');
      telemetry.served(exchange);
      deepEqual(
        pulls.map((one) => one.image),
        image === undefined ? [] : [image],
      );
      deepEqual(counted, ['served']);
    });
  }

  test('of a note that is told again each request counts as what it is', () => {
    const { telemetry, pulls } = build('json');
    const { note } = served('GET', 200, { digest }).reply;
    const rows = [
      ['GET', 200, 'a'],
      ['HEAD', 304, 'b'],
      ['GET', 404, 'c'],
      ['POST', 200, 'd'],
      ['GET', 200, 'e'],
    ] as const;
    for (const [method, status, clientAddress] of rows) {
      const { request, ...rest } = served(method, status, {});
      const reply = { status, note, repeats: true };
      telemetry.served({ ...rest, request: { ...request, clientAddress }, reply });
    }
    deepEqual(
      pulls.map(({ clientAddress, image, digest: of }) => [clientAddress, image, of]),
      ['a', 'b', 'e'].map((client) => [client, 'docker.io/library/nginx:1.27', digest]),
    );
  });

  for (const registry of [undefined, '111122223333/eu-west-1'] as const) {
    test(`a pull is booked in ${registry === undefined ? 'home' : 'the registry that was asked'}`, () => {
      const { telemetry, pulls } = build('json');
      telemetry.served(served('GET', 200, registry === undefined ? {} : { registry }));
      deepEqual(
        pulls.map((one) => one.registry),
        [registry ?? homeRegistry],
      );
    });
  }

  const arrived = {
    type: 'imageArrived',
    image: 'docker.io/library/nginx:1.27',
    digest,
    bytes: 67_321_000,
    durationMs: 2140,
  } as const;

  test('at a terminal an image that arrived is one line', () => {
    const { telemetry, text } = build('text');
    telemetry.emit(arrived);
    match(text(), /^\d\d:\d\d:\d\d docker\.io\/library\/nginx:1\.27 {2}67\.3 MB {2}2\.1 s\n$/);
  });

  const refused = (status: number, authorization?: string): Served => {
    const exchange = served('GET', status, {});
    const { verdict: _none, ...note } = exchange.reply.note;
    const reason = 'anonymousImport is loopback';
    return {
      ...exchange,
      request: {
        ...exchange.request,
        headers: authorization === undefined ? {} : { authorization },
      },
      reply: { status, note: { ...note, reason }, principal: 'anonymous' },
    };
  };
  for (const [name, exchange, told] of [
    ['who was refused what and why', refused(401, 'Bearer x'), true],
    ['who may not', refused(403), true],
    ['no request that is to learn where tokens are had', refused(401), false],
    [
      'no failure of an upstream, which is told by itself',
      served('GET', 503, { verdict: 'error', reason: 'x' }),
      false,
    ],
    ['nothing of what went well', served('GET', 200, {}), false],
  ] as const)
    test(`at a terminal a person reads ${name}`, () => {
      const { telemetry, text } = build('text');
      telemetry.served(exchange);
      telemetry.served(exchange);
      if (!told) return equal(text(), '');
      match(
        text(),
        /^\S+ warn: cache: \S+ was refused docker\.io\/library\/nginx:1\.27 with 40[13]: anonymous: anonymousImport is loopback\n$/,
      );
    });

  test('in JSON it has its digest, bytes and duration too', () => {
    const { telemetry, text, counted } = build('json');
    telemetry.emit(arrived);
    const line = JSON.parse(text()) as Record<string, unknown>;
    deepEqual(
      [line['image'], line['digest'], line['bytes'], line['dur_ms']],
      [arrived.image, digest, 67_321_000, 2140],
    );
    deepEqual(counted, ['imageArrived']);
  });

  test('what happens at every request is in no log', () => {
    const { telemetry, text, counted } = build('json');
    telemetry.emit({ type: 'upstreamReceived', upstream: 'u', bytes: 1 });
    equal(text(), '');
    equal(counted.length, 1);
  });

  const sizes: readonly (readonly [bytes: number, text: string])[] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_949, '999.9 kB'],
    [999_951, '1.0 MB'],
    [5e15, '5000.0 TB'],
  ];
  for (const [bytes, text] of sizes) {
    test(`${bytes} bytes are ${text}`, () => equal(formatBytes(bytes), text));
  }
  test('seconds have a decimal while they are few', () =>
    deepEqual([formatSeconds(140), formatSeconds(61_000)], ['0.1 s', '61 s']));
});
