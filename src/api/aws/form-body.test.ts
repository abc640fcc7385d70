import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { model as iam } from '../iam/model.ts';
import { model as sts } from '../sts/model.ts';
import { readForm, valueOfForm } from './form-body.ts';
import { InputRefused, readInput } from './input.ts';

/** As SDKs write a value into a form. */
function flatten(value: unknown, path = ''): [string, string][] {
  if (Array.isArray(value))
    return value.length === 0
      ? [[path, '']]
      : value.flatMap((each, index) => flatten(each, `${path}.member.${index + 1}`));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, each]) =>
      flatten(each, path === '' ? name : `${path}.${name}`),
    );
  return [[path, String(value)]];
}

const text = fc.string({
  unit: fc.constantFrom('a', '&', '=', '%', '+', ' ', 'é', '.'),
  minLength: 1,
});
const roles = fc.record(
  {
    RoleName: text,
    AssumeRolePolicyDocument: text,
    MaxSessionDuration: fc.integer({ min: 3600, max: 43_200 }),
    Tags: fc.array(fc.record({ Key: text, Value: text }, { noNullPrototype: true }), {
      maxLength: 12,
    }),
  },
  { requiredKeys: ['RoleName', 'AssumeRolePolicyDocument'], noNullPrototype: true },
);

suite('a form as an input', () => {
  test('what is flattened as SDKs do is read as it was', () => {
    fc.assert(
      fc.property(roles, (value) => {
        const parameters = readForm(new URLSearchParams(flatten(value)).toString());
        assert.ok(parameters !== undefined);
        assert.deepEqual(valueOfForm(iam, 'CreateRoleRequest', parameters), value);
      }),
    );
  });

  test('with more pairs than any call has is none, though they be of one name or empty', () => {
    assert.equal(readForm('&a'.repeat(1999))?.size, 1);
    for (const pair of ['&a', '&a=1', '&']) assert.equal(readForm(pair.repeat(2000)), undefined);
    const names = Array.from({ length: 2001 }, (_, at) => `a${at}=1`);
    assert.equal(readForm(names.join('&')), undefined);
    assert.equal(readForm(names.slice(1).join('&'))?.size, 2000);
  });

  test('lists end where an element is missing; what no shape has is left out', () => {
    const form = 'Tags.member.1.Key=a&Tags.member.3.Key=c&Other=x&RoleName=r&RoleName=s';
    const value = valueOfForm(iam, 'CreateRoleRequest', readForm(form) ?? new Map());
    assert.deepEqual(value, { RoleName: 'r', Tags: [{ Key: 'a' }] });
  });

  for (const [what, form, why] of [
    ['a number with letters', 'DurationSeconds=1e5&RoleArn=x', 'type'],
    ['no number', 'DurationSeconds=&RoleArn=x', 'type'],
    ['a role without a session', `RoleArn=${'a'.repeat(20)}`, 'missing'],
  ] as const)
    test(`${what} is refused`, () => {
      assert.throws(
        () =>
          readInput(
            sts,
            'AssumeRoleRequest',
            valueOfForm(sts, 'AssumeRoleRequest', readForm(form) ?? new Map()),
          ),
        (error) => error instanceof InputRefused && error.problem.why === why,
      );
    });

  test('more than two thousand parameters are none', () => {
    const many = (length: number): string =>
      Array.from({ length }, (_, index) => `p${index}=`).join('&');
    assert.equal(readForm(many(2000))?.size, 2000);
    assert.equal(readForm(many(2001)), undefined);
  });

  test('a name of many dots takes no more time than its length', () => {
    const started = performance.now();
    readForm(`${'Tags.member.1.'.repeat(18_000)}=x`);
    valueOfForm(iam, 'CreateRoleRequest', new Map([['Tags.member.1.'.repeat(18_000), 'x']]));
    assert.ok(performance.now() - started < 500);
  });
});
