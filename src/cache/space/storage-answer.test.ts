import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { RegistryError } from '../../domain/errors.ts';
import { MetadataError, refusalReason } from '../../metadata/contract/metadata-error.ts';
import type { Event } from '../../ports/events.ts';
import { asStorageError, storageAnswer } from './storage-answer.ts';

const ofSystem = (code: string): Error =>
  Object.assign(new Error(`${code}: no, write`), { code, syscall: 'write' });

const rows: readonly (readonly [string, unknown, string | undefined])[] = [
  ['a volume without room', ofSystem('ENOSPC'), 'storageFull'],
  ['a quota that is used up', ofSystem('EDQUOT'), 'storageFull'],
  ['a database without room', new MetadataError('full', 'database or disk is full'), 'storageFull'],
  ['a volume that is read-only', ofSystem('EROFS'), 'storageFailed'],
  ['a database that fails', new MetadataError('failed', 'disk I/O error'), 'storageFailed'],
  ['a database with a queue', new MetadataError('busy', '9 wait'), 'unavailable'],
  ['anything else', new TypeError('a fault of ours'), undefined],
];

suite('what a client is told', () => {
  for (const [name, error, code] of rows)
    test(`of ${name}: ${code ?? 'as it is'}`, () => {
      const answer = asStorageError(error);
      if (code === undefined) assert.equal(answer, error);
      else assert.equal((answer as RegistryError).code, code);
      const told: Event[] = [];
      const pushed = storageAnswer(error, 'adopt', { emit: (event) => void told.push(event) });
      assert.deepEqual(pushed, answer);
      assert.equal(told.length, code?.startsWith('storage') === true ? 1 : 0);
    });

  test('of a volume without room: to make some, not to keep less free', () => {
    const { detail } = asStorageError(ofSystem('ENOSPC')) as RegistryError;
    assert.deepEqual(detail, { hint: 'make room on the volume of dataDir' });
  });

  test('of a database that fails: what it said', () => {
    const { detail } = asStorageError(
      new MetadataError('failed', 'disk I/O error'),
    ) as RegistryError;
    assert.deepEqual(detail, { cause: 'disk I/O error' });
  });
});

suite('what a database refuses a write for', () => {
  for (const [name, error, reason] of [
    ["SQLite's full", Object.assign(new Error('x'), { errcode: 13 }), 'full'],
    ["PostgreSQL's full", Object.assign(new Error('x'), { code: '53100' }), 'full'],
    ["SQLite's I/O error", Object.assign(new Error('x'), { errcode: 10 }), 'failed'],
    ['a fault of ours', new TypeError('x'), 'failed'],
    ['no error', undefined, 'failed'],
  ] as const)
    test(`${name}: ${reason}`, () => assert.equal(refusalReason(error), reason));
});
