import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import type { AuditPruning, AuditRow } from '../../metadata/contract/rows.ts';
import type { AuditEntry } from '../access.ts';
import { createAuditRecorder } from './audit.ts';

const entry = (change: Partial<AuditEntry> = {}): AuditEntry => ({
  kind: 'denial',
  principal: 'anonymous',
  action: 'ecr:BatchGetImage',
  resource: 'team/app',
  registry: homeRegistry,
  outcome: 'denied',
  address: '127.0.0.1',
  requestId: 'r1',
  detail: {},
  ...change,
});

function start() {
  const clock = createFakeClock();
  const rows: Omit<AuditRow, 'id'>[] = [];
  const batches: number[] = [];
  const failures: string[] = [];
  const broken = { now: false };
  const pruned: AuditPruning[] = [];
  const audit = createAuditRecorder({
    clock,
    prune: async (input) => void pruned.push(input),
    append: async (each) => {
      if (broken.now) throw new Error('disk full');
      batches.push(each.length);
      rows.push(...each);
    },
    onFailure: (message) => failures.push(message),
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { clock, rows, batches, pruned, failures, broken, audit, settle };
}

suite('the audit', () => {
  test('an entry is written within a second', async () => {
    const { audit, clock, rows, settle } = start();
    audit.record(entry({ kind: 'change', outcome: 'allowed' }));
    equal(rows.length, 0);
    clock.advance(1000);
    await settle();
    deepEqual([rows.length, rows[0]?.kind, rows[0]?.at], [1, 'change', clock.now() - 1000]);
    await audit[Symbol.asyncDispose]();
  });

  test('200 entries are written at once, and no batch is larger', async () => {
    const { audit, batches, settle } = start();
    for (let n = 0; n < 450; n += 1) audit.record(entry({ kind: 'change', resource: `r${n}` }));
    await settle();
    deepEqual(batches, [200, 200, 50]);
    await audit[Symbol.asyncDispose]();
  });

  test('identical changes are never one row', async () => {
    const { audit, rows } = start();
    audit.record(entry({ kind: 'change' }));
    audit.record(entry({ kind: 'change' }));
    await audit[Symbol.asyncDispose]();
    deepEqual(
      rows.map((row) => row.count),
      [1, 1],
    );
  });

  test('of identical denials in a minute the first is a row at once, the others are one with their count', async () => {
    const { audit, clock, rows, settle } = start();
    for (let n = 0; n < 5; n += 1) audit.record(entry({ requestId: `r${n}` }));
    clock.advance(1000);
    await settle();
    deepEqual(
      rows.map((row) => [row.count, row.requestId]),
      [[1, 'r0']],
    );
    clock.advance(60_000);
    await settle();
    clock.advance(1000);
    await settle();
    deepEqual(
      rows.map((row) => [row.count, row.requestId]),
      [
        [1, 'r0'],
        [4, 'r4'],
      ],
    );
    await audit[Symbol.asyncDispose]();
  });

  test('denials that differ in anything but time and request are rows of their own', async () => {
    const { audit, rows } = start();
    audit.record(entry());
    audit.record(entry({ address: '127.0.0.2' }));
    audit.record(entry({ action: 'ecr:PutImage' }));
    audit.record(entry({ detail: { because: 'x' } }));
    await audit[Symbol.asyncDispose]();
    equal(rows.length, 4);
  });

  test('anonymous denials of different names are a hundred rows, and beyond that one a source and action', async () => {
    const { audit, rows } = start();
    for (let n = 0; n < 1500; n += 1)
      audit.record(entry({ resource: `r${n}`, address: `127.0.0.${n % 2}` }));
    await audit[Symbol.asyncDispose]();
    equal(rows.length, 102);
    deepEqual(
      rows
        .slice(100)
        .map((row) => [row.principal, row.action, row.resource, row.address, row.count]),
      [
        ['anonymous', 'ecr:BatchGetImage', '*', '127.0.0.0', 700],
        ['anonymous', 'ecr:BatchGetImage', '*', '127.0.0.1', 700],
      ],
    );
  });

  test('a crowd from everywhere shares one more row, which says how many', async () => {
    const { audit, rows } = start();
    for (let n = 0; n < 1500; n += 1) audit.record(entry({ address: `10.0.${n >> 8}.${n & 255}` }));
    await audit[Symbol.asyncDispose]();
    equal(rows.length, 201);
    deepEqual(
      [rows.at(-1)?.principal, rows.at(-1)?.address, rows.at(-1)?.count],
      ['anonymous', '*', 1300],
    );
  });

  test('whatever anonymous requests and one principal are denied, others’ denials and failed logins are rows of their own', async () => {
    const { audit, rows } = start();
    for (let n = 0; n < 2000; n += 1) {
      audit.record(entry({ resource: `r${n}` }));
      audit.record(entry({ principal: 'arn:mallory', resource: `r${n}` }));
      audit.record(entry({ kind: 'login', principal: `u${n}`, action: 'login', address: '::1' }));
    }
    rows.length = 0;
    audit.record(entry({ principal: 'arn:ann', action: 'ecr:BatchDeleteImage' }));
    audit.record(entry({ kind: 'login', principal: 'root', action: 'login' }));
    await audit[Symbol.asyncDispose]();
    const told = rows.map((row) => `${row.kind} ${row.principal} ${row.action} ${row.address}`);
    ok(told.includes('denial arn:ann ecr:BatchDeleteImage 127.0.0.1'));
    ok(told.includes('login root login 127.0.0.1'));
    ok(told.includes('denial arn:mallory * 127.0.0.1'));
    ok(told.includes('login * login ::1'));
  });

  test('a minute of different rows of every kind is bounded', async () => {
    const { audit, rows } = start();
    for (let n = 0; n < 20_000; n += 1) {
      const address = `10.0.${n >> 8}.${n & 255}`;
      audit.record(entry({ address }));
      audit.record(entry({ address, principal: `arn:${n}` }));
      audit.record(entry({ address, kind: 'login', principal: `u${n}` }));
    }
    await audit[Symbol.asyncDispose]();
    equal(rows.length, 100 + 500 + 1000 + 3 * 101);
    equal(
      rows.reduce((sum, row) => sum + row.count, 0),
      60_000,
    );
  });

  test('a new minute has a new budget', async () => {
    const { audit, clock, rows } = start();
    for (let n = 0; n < 150; n += 1) audit.record(entry({ resource: `r${n}` }));
    clock.advance(60_000);
    rows.length = 0;
    audit.record(entry({ resource: 'r149' }));
    await audit[Symbol.asyncDispose]();
    deepEqual([rows.at(-1)?.resource, rows.at(-1)?.count], ['r149', 1]);
  });

  test('old rows are dropped soon after the start and hourly: anonymous denials first, changes last', async () => {
    const { audit, clock, pruned, settle } = start();
    clock.advance(300_000);
    await settle();
    deepEqual(
      pruned.map(({ kind, before, rowsMax }) => [
        kind,
        (clock.now() - before) / 86_400_000,
        rowsMax,
      ]),
      [
        ['anonymousDenial', 30, 100_000],
        ['denial', 90, 500_000],
        ['login', 90, 500_000],
        ['change', 400, 5_000_000],
      ],
    );
    clock.advance(3_600_000);
    await settle();
    equal(pruned.length, 8);
    const [, , , , { before } = { before: 0 }] = pruned;
    clock.setNow(clock.now() + 1000 * 86_400_000);
    clock.advance(3_600_000);
    await settle();
    equal(pruned[8]?.before, before + 3_600_000, 'a clock that is set forward makes nothing old');
    await audit[Symbol.asyncDispose]();
    clock.advance(3_600_000);
    await settle();
    equal(pruned.length, 12);
  });

  test('what cannot be written is kept, tried again, and bounded; the log hears of it once a time', async () => {
    const { audit, clock, rows, failures, broken, settle } = start();
    broken.now = true;
    for (let n = 0; n < 10_010; n += 1) audit.record(entry({ kind: 'change', resource: `r${n}` }));
    await settle();
    deepEqual(failures, [
      'the audit could not be written; it is kept and tried again',
      '10 entries of the audit were dropped',
    ]);
    broken.now = false;
    clock.advance(5000);
    await settle();
    equal(rows.length, 10_000);
    await audit[Symbol.asyncDispose]();
  });

  test('texts are bounded', async () => {
    const { audit, rows } = start();
    audit.record(entry({ principal: 'x'.repeat(10_000), detail: { tag: 'y'.repeat(10_000) } }));
    await audit[Symbol.asyncDispose]();
    equal(rows[0]?.principal.length, 512);
    match(rows[0]?.detail ?? '', /^\{"tag":"y{511}…"\}$/);
  });

  test('disposing writes what is left, counts too', async () => {
    const { audit, rows } = start();
    audit.record(entry());
    audit.record(entry());
    audit.record(entry());
    await audit[Symbol.asyncDispose]();
    deepEqual(
      rows.map((row) => row.count),
      [1, 2],
    );
  });
});
