import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  managedPolicyArn,
  parseManagedPolicyArn,
  parseVersionId,
  policyCharacters,
  versionId,
} from './managed-policy.ts';

suite('names of managed policies', () => {
  const letters = 'abcXYZ019_+=,.@-'.split('');
  const name = fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 128 });
  const path = fc
    .array(name, { maxLength: 3 })
    .map((parts) => `/${parts.map((each) => `${each}/`).join('')}`);
  test('an ARN says what it was made of', () => {
    fc.assert(
      fc.property(fc.constantFrom('aws', '111122223333'), path, name, (account, at, called) => {
        const policy = { account, path: at, name: called };
        deepEqual(parseManagedPolicyArn(managedPolicyArn(policy)), policy);
      }),
    );
  });

  for (const arn of [
    '',
    'arn:aws:iam::aws:policy/',
    'arn:aws:iam::aws:role/x',
    'arn:aws:iam::1:policy/x',
    'arn:aws:iam:us-east-1:111122223333:policy/x',
    'arn:aws:iam::111122223333:policy//x',
    'arn:aws:iam::111122223333:policy/a b',
    `arn:aws:iam::111122223333:policy/${'x'.repeat(129)}`,
    `arn:aws:iam::111122223333:policy/${'x/'.repeat(100_000)}`,
  ])
    test(`${arn.slice(0, 60)} is none`, () => equal(parseManagedPolicyArn(arn), undefined));

  const versions: readonly (readonly [id: string, version: number | undefined])[] = [
    ['v1', 1],
    ['v10', 10],
    ['v0', undefined],
    ['v01', undefined],
    ['1', undefined],
    ['v1.a', undefined],
    ['v9999999999', undefined],
  ];
  for (const [id, version] of versions)
    test(`${id} is version ${version}`, () => {
      equal(parseVersionId(id), version);
      if (version !== undefined) equal(versionId(version), id);
    });

  test('white space is not counted', () => equal(policyCharacters('{ "a":\n\t1 }'), 7));
});
