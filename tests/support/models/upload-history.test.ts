import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { patterned } from './push-model.ts';
import type { Asked, Call } from './upload-history.ts';
import { isExplained } from './upload-history.ts';
import { digestOf } from '../samples/digest.ts';

const salt = 3;
const digest = digestOf(patterned(salt, 0, 200));

function piece(begin: number, length = 100): { begin: number; length: number; ranged: true } {
  return { begin, length, ranged: true };
}

/** `[from, to, request, status, range]` */
type Row = readonly [began: number, ended: number, asked: Asked, status?: number, range?: string];

function call([began, ended, asked, status, range]: Row): Call {
  return { asked, began, ended, told: status === undefined ? undefined : { status, range } };
}

const first: Asked = { kind: 'append', piece: piece(0) };
const second: Asked = { kind: 'append', piece: piece(100) };
const finish: Asked = { kind: 'finish', piece: piece(100), digest };
const mount: Asked = { kind: 'mount', digest };
const broken: Asked = { kind: 'broken', piece: piece(100, 5000) };
const never = Infinity;

const rows: readonly (readonly [name: string, explained: boolean, calls: readonly Row[]])[] = [
  [
    'two chunks for one place: one is taken, the other told so',
    true,
    [
      [0, 3, first, 416, '0-99'],
      [1, 2, first, 202, '0-99'],
    ],
  ],
  [
    'two chunks for one place, both taken',
    false,
    [
      [0, 3, first, 202, '0-99'],
      [1, 2, first, 202, '0-199'],
    ],
  ],
  [
    'an acknowledged chunk that is not there any more',
    false,
    [
      [0, 1, first, 202, '0-99'],
      [2, 3, { kind: 'status' }, 204, '0-0'],
    ],
  ],
  [
    'an upload that two requests finish',
    false,
    [
      [0, 1, first, 202, '0-99'],
      [2, 5, finish, 201],
      [3, 4, finish, 201],
    ],
  ],
  [
    'an upload that one of two requests finishes',
    true,
    [
      [0, 1, first, 202, '0-99'],
      [2, 5, finish, 404],
      [3, 4, finish, 201],
      [6, 7, mount, 201],
    ],
  ],
  [
    'a blob that is not there after its upload was finished',
    false,
    [
      [0, 1, first, 202, '0-99'],
      [2, 3, finish, 201],
      [4, 5, mount, 202],
    ],
  ],
  [
    'an upload that is gone a moment before its blob is there',
    true,
    [
      [0, 1, first, 202, '0-99'],
      [2, 9, finish, 201],
      [3, 4, { kind: 'status' }, 404],
      [5, 6, mount, 202],
      [7, 8, mount, 201],
    ],
  ],
  [
    'a finish that takes other bytes than its digest is of',
    false,
    [
      [0, 1, first, 202, '0-99'],
      [2, 3, { kind: 'finish', piece: piece(100, 99), digest }, 201],
    ],
  ],
  [
    'a body that broke off and was kept in part, later',
    true,
    [
      [0, 1, first, 202, '0-99'],
      [2, never, broken],
      [3, 4, { kind: 'status' }, 204, '0-99'],
      [5, 6, second, 416, '0-1099'],
    ],
  ],
  [
    'more of a broken body than was sent',
    false,
    [
      [0, 1, first, 202, '0-99'],
      [2, never, broken],
      [5, 6, second, 416, '0-9999'],
    ],
  ],
  [
    'an append that was taken after the upload had been cancelled',
    false,
    [
      [0, 1, { kind: 'cancel' }, 204],
      [2, 3, first, 202, '0-99'],
    ],
  ],
  [
    'an append that was taken while the upload was cancelled',
    true,
    [
      [0, 3, { kind: 'cancel' }, 204],
      [1, 2, first, 202, '0-99'],
    ],
  ],
];

for (const [name, explained, calls] of rows) {
  test(`${explained ? 'some' : 'no'} order explains ${name}`, () => {
    equal(isExplained(salt, calls.map(call)), explained);
  });
}
