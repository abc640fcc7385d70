import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileCondition, operatorAdvice, parseOperator, valueAdvice } from './conditions.ts';
import { operators } from './operators.ts';

/** Whether a condition holds for the values of its key, several keys for variables beside it. */
function holds(
  operator: string,
  values: readonly string[],
  actual: readonly string[] | undefined,
  others: Readonly<Record<string, readonly string[]>> = {},
): boolean {
  const condition = compileCondition({ operator, key: 'aws:k', values }, true);
  return condition.holds((key) => (key === 'aws:k' ? actual : others[key]));
}

type Row = readonly [operator: string, values: string, actual: string, holds: boolean];

const relations: readonly Row[] = [
  ['StringEquals', 'ci', 'ci', true],
  ['StringEquals', 'ci', 'CI', false],
  ['StringEquals', 'c*', 'ci', false],
  ['StringEquals', '${*}', '*', true],
  ['StringNotEquals', 'ci', 'ci', false],
  ['StringNotEquals', 'ci', 'cd', true],
  ['StringEqualsIgnoreCase', 'cI', 'Ci', true],
  ['StringNotEqualsIgnoreCase', 'cI', 'Ci', false],
  ['StringLike', 'team-*/?', 'team-a/b/c', true],
  ['StringLike', 'team-*/?', 'team-a/', false],
  ['StringLike', '?', '😀', true],
  ['StringLike', 'a${*}b', 'axb', false],
  ['StringLike', 'a${*}b', 'a*b', true],
  ['StringLike', '', '', true],
  ['StringNotLike', 'team-*', 'team-a', false],
  ['NumericEquals', '10', '10.0', true],
  ['NumericEquals', '1e1', '10', true],
  ['NumericEquals', '10', 'ten', false],
  ['NumericNotEquals', '10', '11', true],
  ['NumericLessThan', '10', '9', true],
  ['NumericLessThan', '10', '10', false],
  ['NumericLessThanEquals', '10', '10', true],
  ['NumericGreaterThan', '-1', '-0.5', true],
  ['NumericGreaterThan', '9', '10', true],
  ['NumericGreaterThanEquals', '10', '9', false],
  ['DateEquals', '2026-01-31T12:00:00Z', '2026-01-31T13:00:00+01:00', true],
  ['DateEquals', '2026-01-31T12:00:00Z', '1769860800', true],
  ['DateEquals', '2026', '2026-01-01T00:00:00Z', true],
  ['DateEquals', '2026-01', '2026-01-01', true],
  ['DateEquals', '2026-01-31T12:00', '2026-01-31T12:00:00.000Z', true],
  ['DateNotEquals', '2026-01-31', '2026-01-31T00:00:01Z', true],
  ['DateLessThan', '2026-01-31', '2026-01-30T23:59:59.9Z', true],
  ['DateLessThanEquals', '2026-01-31', '2026-01-31T00:00:00Z', true],
  ['DateGreaterThan', '2026-01-31', '2026-01-31T00:00:00Z', false],
  ['DateGreaterThanEquals', '2026-01-31', '2026-01-31T00:00:00Z', true],
  ['Bool', 'true', 'TRUE', true],
  ['Bool', 'false', 'true', false],
  ['Bool', 'false', 'no', false],
  ['BinaryEquals', 'QmluYXJ5VmFsdWU=', 'QmluYXJ5VmFsdWU=', true],
  ['BinaryEquals', 'QmluYXJ5VmFsdWU=', 'QmluYXJ5', false],
  ['IpAddress', '203.0.113.0/24', '203.0.113.9', true],
  ['IpAddress', '203.0.113.0/24', '::ffff:203.0.113.9', true],
  ['IpAddress', '203.0.113.0/24', '203.0.114.9', false],
  ['IpAddress', '2001:db8::/32', '2001:db8::9', true],
  ['IpAddress', '203.0.113.0/24', 'nowhere', false],
  ['NotIpAddress', '203.0.113.0/24', '203.0.113.9', false],
  ['NotIpAddress', '203.0.113.0/24', '2001:db8::9', true],
  ['ArnEquals', 'arn:aws:iam::*:user/ci-?', 'arn:aws:iam::111122223333:user/ci-1', true],
  ['ArnLike', 'arn:aws:iam::111122223333:user/*', 'arn:aws:iam::111122223333:user/a/b', true],
  ['ArnLike', 'arn:aws:iam::*', 'arn:aws:iam::111122223333:user/a', false],
  ['ArnLike', 'arn:aws:*:111122223333:user/a', 'arn:aws:iam::111122223333:user/a', false],
  ['ArnLike', '*', 'arn:aws:iam::111122223333:user/a', true],
  ['ArnLike', '*', 'no arn', false],
  ['ArnLike', 'arn:aws:x:::a:b*', 'arn:aws:x:::a:b:c', true],
  ['ArnNotEquals', 'arn:aws:iam::111122223333:root', 'arn:aws:iam::111122223333:root', false],
  ['ArnNotLike', 'arn:aws:iam::1*:root', 'arn:aws:iam::111122223333:root', false],
  ['ArnNotLike', 'arn:aws:iam::2*:root', 'arn:aws:iam::111122223333:root', true],
];
for (const [operator, value, actual, expected] of relations) {
  test(`${operator} ${value} ${expected ? 'holds' : 'does not hold'} for ${actual}`, () => {
    assert.equal(holds(operator, [value], [actual]), expected);
  });
}

test('every operator is in the table above, or asks for the key alone', () => {
  assert.deepEqual(new Set(relations.map(([operator]) => operator)), new Set(operators.keys()));
});

const sets: readonly (readonly [
  operator: string,
  values: readonly string[],
  actual: readonly string[] | undefined,
  holds: boolean,
  why: string,
])[] = [
  ['StringEquals', ['a', 'b'], ['b'], true, 'one of several values is enough'],
  ['StringNotEquals', ['a', 'b'], ['b'], false, 'a negation refuses each of several values'],
  ['StringNotEquals', ['a', 'b'], ['c'], true, 'a negation holds where none is equal'],
  ['StringEquals', ['a'], undefined, false, 'a missing key equals nothing'],
  ['StringNotEquals', ['a'], undefined, true, 'a missing key is not equal'],
  ['NotIpAddress', ['10.0.0.0/8'], undefined, true, 'a missing address is in no block'],
  ['StringEqualsIfExists', ['a'], undefined, true, 'IfExists forgives a missing key'],
  ['StringEqualsIfExists', ['a'], ['b'], false, 'IfExists forgives nothing else'],
  ['ForAnyValue:StringEquals', ['a', 'b'], ['x', 'b'], true, 'ForAnyValue needs one'],
  ['ForAnyValue:StringEquals', ['a', 'b'], ['x', 'y'], false, 'ForAnyValue needs at least one'],
  ['ForAnyValue:StringEquals', ['a'], undefined, false, 'ForAnyValue of nothing is false'],
  ['ForAnyValue:StringNotEquals', ['a'], undefined, false, 'so it is where it negates'],
  [
    'ForAnyValue:StringNotEquals',
    ['a'],
    ['a', 'b'],
    true,
    'one that is not equal is enough for it',
  ],
  ['ForAnyValue:StringEqualsIfExists', ['a'], undefined, true, 'unless IfExists is with it'],
  ['ForAllValues:StringEquals', ['a', 'b'], ['b', 'a'], true, 'ForAllValues needs all'],
  ['ForAllValues:StringEquals', ['a', 'b'], ['a', 'x'], false, 'ForAllValues fails by one'],
  ['ForAllValues:StringEquals', ['a'], undefined, true, 'ForAllValues of nothing is true'],
  ['ForAllValues:StringNotEquals', ['a'], ['b', 'a'], false, 'ForAllValues of a negation too'],
  ['ForAllValues:StringEquals', [], undefined, true, 'an empty list asks for a missing key'],
  ['ForAllValues:StringEquals', [], ['a'], false, 'an empty list is equal to nothing'],
  ['Null', ['true'], undefined, true, 'Null true: the key is missing'],
  ['Null', ['true'], ['a'], false, 'Null true: the key is there'],
  ['Null', ['false'], ['a'], true, 'Null false: the key is there'],
  ['Null', ['False'], undefined, false, 'Null false: the key is missing'],
  ['Null', ['true', 'false'], ['a'], true, 'Null of both always holds'],
  ['StringSounds', ['a'], ['a'], false, 'an operator that is none never holds'],
];
for (const [operator, values, actual, expected, why] of sets) {
  test(`${operator} [${values.join()}] of ${actual?.join() ?? 'nothing'}: ${why}`, () => {
    assert.equal(holds(operator, values, actual), expected);
  });
}

test('a variable stands for the value of its key, wildcards in that value for themselves', () => {
  assert.equal(
    holds('StringEquals', ['${aws:username}'], ['ci'], { 'aws:username': ['ci'] }),
    true,
  );
  assert.equal(
    holds('StringLike', ['u/${aws:UserName}/*'], ['u/*/x'], { 'aws:username': ['*'] }),
    true,
  );
  assert.equal(
    holds('StringLike', ['u/${aws:username}/*'], ['u/a/x'], { 'aws:username': ['*'] }),
    false,
  );
  assert.equal(
    holds('ArnLike', ['arn:aws:iam::${aws:a}:root'], ['arn:aws:iam::1:root'], { 'aws:a': ['1'] }),
    true,
  );
});

test('a variable without a value is its default, or equals nothing', () => {
  assert.equal(holds('StringEquals', ["x${aws:team, 'all'}"], ['xall']), true);
  assert.equal(holds('StringEquals', ['${aws:team}'], ['']), false);
  assert.equal(holds('StringEquals', ['${aws:team}'], ['a'], { 'aws:team': ['a', 'b'] }), false);
});

test('before 2012-10-17 a variable is letters', () => {
  const condition = { operator: 'StringEquals', key: 'aws:k', values: ['${aws:username}'] };
  const old = compileCondition(condition, false);
  assert.equal(
    old.holds((key) => (key === 'aws:k' ? ['${aws:username}'] : ['ci'])),
    true,
  );
  assert.deepEqual(old.needs, []);
});

const numbers = fc.integer({ min: -3, max: 3 }).map(String);
const words = fc.string({ unit: fc.constantFrom('a', 'B', '*', '?'), maxLength: 3 });
const days = fc.constantFrom(
  '2026-01-01',
  '2026-01-02T00:00:00Z',
  '2026-01-02',
  '1970-01-01T00:00:05Z',
);
const blocks = fc.constantFrom('10.0.0.0/8', '10.0.0.1', '10.0.0.0/31', '192.0.2.0/24');
const addresses = fc.constantFrom('10.0.0.1', '10.0.0.2', '192.0.2.1', '198.51.100.1');
const arns = fc.constantFrom('arn:aws:iam::1:root', 'arn:aws:iam::*:root', 'arn:aws:iam::1:user/?');
const known = fc.constantFrom(
  'arn:aws:iam::1:root',
  'arn:aws:iam::2:root',
  'arn:aws:iam::1:user/a',
);

type Naive = (actual: string, value: string) => boolean;
const compares: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  Equals: (a, b) => a === b,
  LessThan: (a, b) => a < b,
  LessThanEquals: (a, b) => a <= b,
  GreaterThan: (a, b) => a > b,
  GreaterThanEquals: (a, b) => a >= b,
};

/** Each relation as plainly as it can be said, with the values it is tried on. */
const models: Readonly<
  Record<string, readonly [Naive, fc.Arbitrary<string>, fc.Arbitrary<string>]>
> = {
  StringEquals: [(a, b) => a === b, words, words],
  StringEqualsIgnoreCase: [(a, b) => a.toLowerCase() === b.toLowerCase(), words, words],
  StringLike: [like, words, words],
  Bool: [(a, b) => a === b, fc.constantFrom('true', 'false'), fc.constantFrom('true', 'false')],
  BinaryEquals: [
    (a, b) => a === b,
    fc.base64String({ maxLength: 4 }),
    fc.base64String({ maxLength: 4 }),
  ],
  IpAddress: [inBlock, addresses, blocks],
  ArnEquals: [like, known, arns],
  ArnLike: [like, known, arns],
  ...Object.fromEntries(
    Object.entries(compares).flatMap(([name, compare]) => [
      [
        `Numeric${name}`,
        [(a: string, b: string) => compare(Number(a), Number(b)), numbers, numbers],
      ],
      [
        `Date${name}`,
        [(a: string, b: string) => compare(Date.parse(a), Date.parse(b)), days, days],
      ],
    ]),
  ),
};

function like(actual: string, value: string): boolean {
  const escaped = value.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(actual);
}

function inBlock(actual: string, value: string): boolean {
  const list = new BlockList();
  const [network = '', bits = '32'] = value.split('/');
  list.addSubnet(network, Number(bits), 'ipv4');
  return list.check(actual, 'ipv4');
}

/** IAM's words on missing keys, several values and negations, one after the other. */
function model(
  name: string,
  values: readonly string[],
  actual: readonly string[] | undefined,
): boolean {
  const ifExists = name.endsWith('IfExists');
  const [base = '', set] = name.replace('IfExists', '').split(':').reverse();
  const negated = /Not/.test(base);
  const [naive] = models[base.replace('Not', '')] ?? [];
  assert.ok(naive !== undefined, base);
  if (actual === undefined)
    return ifExists || set === 'ForAllValues' || (set === undefined && negated);
  const satisfied = actual.map((each) => values.some((value) => naive(each, value)) !== negated);
  const all = set === 'ForAllValues' || (set === undefined && negated);
  return all ? !satisfied.includes(false) : satisfied.includes(true);
}

for (const base of operators.keys()) {
  test(`${base} does what the plain model does, with every prefix and suffix`, () => {
    const [, actuals, values] = models[base.replace('Not', '')] ?? [];
    assert.ok(actuals !== undefined && values !== undefined);
    fc.assert(
      fc.property(
        fc.constantFrom('', 'ForAllValues:', 'ForAnyValue:'),
        fc.constantFrom('', 'IfExists'),
        fc.array(values, { maxLength: 3 }),
        fc.option(fc.array(actuals, { minLength: 1, maxLength: 3 }), { nil: undefined }),
        (prefix, suffix, listed, actual) => {
          const name = `${prefix}${base}${suffix}`;
          for (const value of listed)
            assert.equal(valueAdvice(operators.get(base), value, true), undefined);
          assert.equal(holds(name, listed, actual), model(name, listed, actual));
        },
      ),
      { numRuns: 300 },
    );
  });
}

const names: readonly (readonly [string, RegExp])[] = [
  ['StringEqual', /did you mean StringEquals\?/],
  ['stringlike', /did you mean StringLike\?/],
  ['ForAllValue:StringLikeIfExists', /did you mean ForAllValues:StringLikeIfExists\?/],
  ['ForAnyValue:Null', /write Null, which takes neither/],
  ['NullIfExists', /write Null/],
  ['Matches', /the operators are Null, StringEquals/],
  ['constructor', /the operators are/],
];
for (const [name, advice] of names) {
  test(`${name} is no operator, and the advice is ${advice.source}`, () => {
    assert.equal(parseOperator(name), undefined);
    assert.match(operatorAdvice(name), advice);
  });
}

const wrong: readonly (readonly [operator: string, value: string])[] = [
  ['NumericEquals', 'ten'],
  ['NumericEquals', ''],
  ['NumericEquals', '0x10'],
  ['NumericEquals', '1e999'],
  ['NumericLessThan', '${aws:username}'],
  ['DateLessThan', 'tomorrow'],
  ['DateLessThan', '2026-02-30'],
  ['DateLessThan', '2026-01-01T24:00:00Z'],
  ['DateLessThan', '2026-01-01T00:00:00+25:00'],
  ['Bool', 'yes'],
  ['BinaryEquals', 'a_b='],
  ['BinaryEquals', 'abcde'],
  ['IpAddress', '10.0.0.0/33'],
  ['IpAddress', '10.0.*'],
  ['ArnLike', 'user/ci'],
  ['StringLike', '${aws:username'],
  ['StringEquals', '${}'],
];
for (const [name, value] of wrong) {
  test(`${name} does not take ${JSON.stringify(value)}, and says what it takes`, () => {
    assert.match(valueAdvice(operators.get(name), value, true) ?? '', /^write /);
  });
}
