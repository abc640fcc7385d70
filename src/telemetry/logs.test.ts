import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import type { Served } from '../domain/served.ts';
import { createAccessLog } from './access-log.ts';
import { createLog } from './log.ts';
import type { LogOutput, LogSink } from './log-output.ts';
import { GatheringLogOutput } from './log-output.ts';
import { createThrottle } from './throttle.ts';

const now = Date.UTC(2026, 10, 21, 9, 5, 7, 42);

function collecting(): LogOutput & { readonly text: () => string } {
  let text = '';
  return {
    text: () => text,
    write: (lines) => void (text += lines),
    flushSync: () => {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function exchange(
  over: Partial<Served['request']> = {},
  note: Partial<Served['reply']['note']> = {},
): Served {
  return {
    request: {
      id: 'id-1',
      method: 'GET',
      query: '',
      headers: {},
      clientAddress: '10.0.0.1',
      ...over,
    },
    reply: { status: 200, note: { route: 'manifest', ...note } },
    bytes: 12,
    durationMs: 1.23456,
    complete: true,
  };
}

function lineOf(served: Served): Record<string, unknown> {
  const output = collecting();
  createAccessLog(output).of(served.reply.note).write(served, now);
  equal(output.text().split('\n').length, 2);
  return JSON.parse(output.text()) as Record<string, unknown>;
}

suite('access log', () => {
  test('a line says all of a request', () => {
    const note = {
      rule: 'docker.io',
      ns: 'docker.io',
      repository: 'docker.io/library/nginx',
      reference: '1',
      digest: 'sha256:aa',
      verdict: 'hit',
    } as const;
    deepEqual(
      lineOf(
        exchange({ query: 'ns=docker.io', headers: { 'user-agent': 'containerd/2.4' } }, note),
      ),
      {
        time: '2026-11-21T09:05:07.042Z',
        level: 'info',
        kind: 'access',
        request_id: 'id-1',
        method: 'GET',
        route: 'manifest',
        repo: 'docker.io/library/nginx',
        reference: '1',
        digest: 'sha256:aa',
        ns: 'docker.io',
        query: 'ns=docker.io',
        status: 200,
        bytes: 12,
        dur_ms: 1.235,
        cache: 'hit',
        rule: 'docker.io',
        client_ip: '10.0.0.1',
        ua: 'containerd/2.4',
        complete: true,
      },
    );
  });

  test('a refusal says who was refused and why', () => {
    const reason = 'no statement of a policy allows ecr:BatchGetImage to "ann"';
    const refused = exchange({}, { reason });
    const line = lineOf({ ...refused, reply: { ...refused.reply, principal: 'anonymous' } });
    deepEqual([line['principal'], line['reason']], ['anonymous', reason]);
  });

  test('no query parameter but the known ones is shown, and no header but User-Agent', () => {
    const headers = { 'user-agent': 'x', authorization: 'Basic c2VjcmV0', cookie: 'secret' };
    const output = collecting();
    const asked = { query: 'n=5&token=secret&nsx=secret&last=a&X-Amz-Signature=secret', headers };
    const served = exchange(asked);
    createAccessLog(output).of(served.reply.note).write(served, now);
    equal((JSON.parse(output.text()) as { query: string }).query, 'n=5&last=a');
    doesNotMatch(output.text(), /secret|c2VjcmV0/);
  });

  test('any text in any place parses back as it was, on one line', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\u2028', '\ud800', 'é', '\u0000', 'x') }),
    );
    fc.assert(
      fc.property(text, text, text, text, (id, agent, repository, reference) => {
        const line = lineOf(
          exchange({ id, headers: { 'user-agent': agent } }, { repository, reference }),
        );
        deepEqual(
          [line['request_id'], line['ua'], line['repo'], line['reference']],
          [id, agent, repository, reference],
        );
      }),
    );
  });

  test('lines of a note that is told again differ in what each request has of its own alone', () => {
    const note = {
      route: 'manifest',
      rule: 'docker.io',
      repository: 'a"b',
      reference: '1',
      digest: 'sha256:aa',
      verdict: 'hit',
    } as const;
    const one = exchange({}, note);
    const ann = 'arn:aws:iam::000000000000:user/ann';
    const rows: readonly (readonly [change: Partial<Served>, at: number])[] = [
      [{}, 0],
      [{ request: { ...one.request, id: 'id-2' } }, 0],
      [{ reply: { ...one.reply, principal: ann } }, 0],
      [{ reply: { ...one.reply, principal: 'x' } }, 957],
      [{}, 957],
      [{ request: { ...one.request, query: 'n=1' } }, 957],
      [{ request: { ...one.request, query: 'n=2' } }, 957],
      [{ request: { ...one.request, method: 'HEAD' }, bytes: 0 }, 957],
      [{ bytes: 13 }, 957],
      [{ reply: { ...one.reply, status: 206 } }, 1914],
      [{ request: { ...one.request, clientAddress: '10.0.0.2' } }, 1914],
      [{ request: { ...one.request, headers: { 'user-agent': 'x' } } }, 1914],
      [{ request: { ...one.request, headers: { 'user-agent': 'y' } } }, 1914],
      [{ complete: false }, 1914],
      [{ durationMs: 2 }, 1914],
      [{ durationMs: 0.05 }, 1914],
    ];
    const output = collecting();
    const lines = createAccessLog(output).of(note);
    const alone: string[] = [];
    for (const [change, at] of rows) {
      const served = { ...one, ...change };
      lines.write(served, now + at);
      const once = collecting();
      createAccessLog(once)
        .of({ ...note })
        .write(served, now + at);
      alone.push(once.text());
    }
    equal(output.text(), alone.join(''));
    equal(new Set(alone).size, rows.length);
    const parsed = alone.map(
      (line) => JSON.parse(line) as { principal?: string; time: string; dur_ms: number },
    );
    deepEqual(
      parsed.slice(1, 5).map(({ principal, time }) => [principal, time.slice(-6)]),
      [
        [undefined, '7.042Z'],
        [ann, '7.042Z'],
        ['x', '7.999Z'],
        [undefined, '7.999Z'],
      ],
    );
    deepEqual(
      parsed.slice(-3).map((line) => line.dur_ms),
      [1.235, 2, 0.05],
    );
  });

  test('a huge User-Agent is cut', () => {
    equal(
      (lineOf(exchange({ headers: { 'user-agent': 'x'.repeat(60_000) } }))['ua'] as string).length,
      256,
    );
  });
});

suite('log', () => {
  test('a JSON line has time, level, logger, message and fields, and no secret', () => {
    const output = collecting();
    const log = createLog({
      output,
      clock: createFakeClock(now),
      format: 'json',
      level: 'info',
    }).of('upstream');
    log.warn('it "failed"', {
      request_id: 'r',
      authorization: 'Basic x',
      rule: { accessToken: 'secret', prefix: 'p' },
    });
    log.debug('not shown');
    deepEqual(JSON.parse(output.text()), {
      level: 'warn',
      time: '2026-11-21T09:05:07.042Z',
      logger: 'upstream',
      request_id: 'r',
      authorization: '[redacted]',
      rule: { accessToken: '[redacted]', prefix: 'p' },
      msg: 'it "failed"',
    });
  });

  test('any message and field parse back', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.string({ unit: 'grapheme' }),
        (message, value) => {
          const output = collecting();
          createLog({ output, clock: createFakeClock(now), format: 'json', level: 'info' }).info(
            message,
            { value },
          );
          const line = JSON.parse(output.text()) as { msg: string; value: string };
          deepEqual([line.msg, line.value], [message, value]);
        },
      ),
    );
  });

  test('a text line is for a person, without control characters and secrets', () => {
    const output = collecting();
    const log = createLog({ output, clock: createFakeClock(now), format: 'text', level: 'info' });
    log.info('listening', { url: 'http://127.0.0.1:5000', token: 'secret' });
    log.of('upstream').warn('bad\u001b[31m answer\n', { status: 500, cause: new Error('x y') });
    const [first = '', second = '', end] = output.text().split('\n');
    match(first, /^\d\d:\d\d:\d\d listening url=http:\/\/127\.0\.0\.1:5000 token=\[redacted\]$/);
    match(second, /^\d\d:\d\d:\d\d warn: upstream: bad \[31m answer {2}status=500 cause="x y"$/);
    equal(end, '');
  });

  test('an outage is told once, and then how often it was', () => {
    const output = collecting();
    const clock = createFakeClock(now);
    const tell = createThrottle(createLog({ output, clock, format: 'json', level: 'info' }), clock);
    for (let index = 0; index < 100; index += 1) tell('key', 'warn', 'down', { index });
    clock.advance(10_000);
    tell('key', 'warn', 'down', { index: 100 });
    const lines = output
      .text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { repeated?: number });
    deepEqual(
      lines.map((line) => line.repeated),
      [undefined, 99],
    );
  });
});

interface Pipe extends LogSink {
  readonly pieces: string[];
  /** The next write waits until the returned function is called. */
  hold(): (error?: Error) => void;
}

function pipe(): Pipe {
  const pieces: string[] = [];
  let gate: Promise<void> = Promise.resolve();
  return {
    pieces,
    async write(bytes) {
      await gate;
      pieces.push(Buffer.from(bytes).toString());
      return bytes.length;
    },
    writeSync(bytes) {
      pieces.push(Buffer.from(bytes).toString());
      return bytes.length;
    },
    hold() {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      promise.catch(() => {});
      gate = promise;
      return (error) => {
        gate = Promise.resolve();
        if (error) reject(error);
        else resolve();
      };
    },
  };
}

/** Lets what is ready run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

suite('log output', () => {
  test('lines go out together after 100 ms, or at 64 KiB', async () => {
    const sink = pipe();
    const clock = createFakeClock(now);
    const output = new GatheringLogOutput(sink, clock);
    output.write('a\n');
    output.write('b\n');
    clock.advance(99);
    await settled();
    equal(sink.pieces.length, 0);
    clock.advance(1);
    await settled();
    deepEqual(sink.pieces, ['a\nb\n']);
    output.write('x'.repeat(65_536));
    await settled();
    equal(sink.pieces.at(1)?.length, 65_536);
    output.write('c\n');
    await output[Symbol.asyncDispose]();
    equal(sink.pieces.at(2), 'c\n');
    equal(clock.pending, 0);
  });

  test('a slow reader costs lines, not memory, and is told how many', async () => {
    const sink = pipe();
    const clock = createFakeClock(now);
    const output = new GatheringLogOutput(sink, clock);
    const release = sink.hold();
    const line = `${'x'.repeat(65_535)}\n`;
    for (let index = 0; index < 300; index += 1) output.write(line);
    release();
    await settled();
    output.write('later\n');
    clock.advance(100);
    await output[Symbol.asyncDispose]();
    const text = sink.pieces.join('');
    const notice = /^\{.*"lines":(\d+)\}$/m.exec(text);
    equal(
      text.split('\n').filter((one) => one.startsWith('xxx')).length + Number(notice?.[1]),
      300,
    );
    ok(text.length < 17 * 1024 * 1024);
  });

  test('a pipe that is full is tried again, part by part', async () => {
    const clock = createFakeClock(now);
    let text = '';
    let calls = 0;
    const output = new GatheringLogOutput(
      {
        write(bytes) {
          calls += 1;
          if (calls % 2 === 1)
            return Promise.reject(Object.assign(new Error('again'), { code: 'EAGAIN' }));
          text += Buffer.from(bytes.subarray(0, 3)).toString();
          return Promise.resolve(Math.min(3, bytes.length));
        },
        writeSync: () => 0,
      },
      clock,
    );
    output.write('0123456789\n');
    clock.advance(100);
    for (let turn = 0; turn < 10; turn += 1) {
      await settled();
      clock.advance(10);
    }
    equal(text, '0123456789\n');
  });

  test('a reader that is gone fails nothing', async () => {
    const sink = pipe();
    const clock = createFakeClock(now);
    const output = new GatheringLogOutput(sink, clock);
    const release = sink.hold();
    output.write('lost\n');
    const disposed = output[Symbol.asyncDispose]();
    release(Object.assign(new Error('gone'), { code: 'EPIPE' }));
    await disposed;
    deepEqual([sink.pieces, clock.pending], [[], 0]);
  });

  test('a dying process gets its last lines out', () => {
    const sink = pipe();
    const output = new GatheringLogOutput(sink, createFakeClock(now));
    output.write('last\n');
    output.flushSync();
    deepEqual(sink.pieces, ['last\n']);
  });
});
