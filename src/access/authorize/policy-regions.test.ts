import { equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { evaluatePolicies } from '../../domain/policy/evaluator.ts';
import { parsePolicy } from '../../domain/policy/parser.ts';
import { inRegions } from './policy-regions.ts';

const account = '000000000000';
const regions = ['us-east-1', 'eu-west-1'];

function arn(region: string, rest = `${account}:repository/team/app`): string {
  return `arn:aws:ecr:${region}:${rest}`;
}

/** Whether ann may pull team/app of a region, by one statement beside one that allows her everything where it denies. */
function decides(
  statement: Readonly<Record<string, unknown>>,
  region: string,
  named: readonly string[] | 'any',
): boolean {
  const everything = { Effect: 'Allow', Action: '*', Resource: '*' };
  const all = statement['Effect'] === 'Deny' ? [statement, everything] : [statement];
  const text = JSON.stringify({ Version: '2012-10-17', Statement: all });
  const document = inRegions(parsePolicy(text, 'identity'), named);
  const { allowed } = evaluatePolicies({
    principal: { kind: 'user', account, name: 'ann' },
    action: 'ecr:BatchGetImage',
    resource: arn(region),
    resourceAccount: account,
    context: new Map([['aws:requestedregion', [region]]]),
    identityPolicies: [{ name: 'p', document }],
    resourcePolicies: [],
  });
  return statement['Effect'] === 'Deny' ? !allowed : allowed;
}

/** Whether the statement speaks of the repository at home (us-east-1), and of that of eu-west-1. */
type Row = readonly [
  name: string,
  statement: Readonly<Record<string, unknown>>,
  home: boolean,
  west: boolean,
  named?: readonly string[] | 'any',
];

const deny = (Resource: unknown): Readonly<Record<string, unknown>> => ({
  Effect: 'Deny',
  Action: 'ecr:*',
  Resource,
});
const allow = (Resource: unknown): Readonly<Record<string, unknown>> => ({
  Effect: 'Allow',
  Action: 'ecr:*',
  Resource,
});
const when = (Condition: unknown): Readonly<Record<string, unknown>> => ({
  Effect: 'Deny',
  Action: '*',
  Resource: '*',
  Condition,
});

const rows: readonly Row[] = [
  ['a Deny where a region that is not named is written', deny(arn('eu-west-2')), true, false],
  ['an Allow there', allow(arn('eu-west-2')), true, false],
  [
    'a Deny with a wildcard in the name',
    deny(arn('eu-west-2', `${account}:repository/team/*`)),
    true,
    false,
  ],
  ['a Deny in one region of its own', deny(arn('eu-west-1')), false, true],
  ['an Allow in one region of its own', allow(arn('eu-west-1')), false, true],
  ['a Deny at home', deny(arn('us-east-1')), true, false],
  ['a Deny in several regions', deny(arn('eu-*')), true, true],
  ['an Allow in several, one of them of its own, as written', allow(arn('eu-*')), false, true],
  ['an Allow in several, none of them of its own', allow(arn('ap-*')), true, false],
  ['an Allow by ?', allow(arn('ap-south-?')), true, false],
  ['a Deny everywhere', deny(arn('*')), true, true],
  ['a Deny of all in a region', deny('arn:aws:ecr:eu-west-2:*'), true, false],
  ['a Deny of all in some regions', deny('arn:aws:ecr:ap-*'), true, false],
  ['a Deny of all from a region on', deny('arn:aws:ecr:ap-*:repository/team/app'), true, false],
  [
    'a Deny by an ARN whose beginning is left open',
    deny(`arn:*:eu-west-2:${account}:repository/team/app`),
    true,
    false,
  ],
  [
    'a Deny of another account',
    deny(arn('eu-west-2', '111122223333:repository/team/app')),
    false,
    false,
  ],
  [
    'a Deny of another repository',
    deny(arn('eu-west-2', `${account}:repository/other`)),
    false,
    false,
  ],
  [
    'a Deny with a variable',
    deny(arn('eu-west-2', '${aws:PrincipalAccount}:repository/team/app')),
    true,
    false,
  ],
  [
    'a Deny of all but a region that is home',
    { Effect: 'Deny', Action: '*', NotResource: arn('eu-west-2') },
    false,
    true,
  ],
  [
    'an Allow of all but some regions',
    { Effect: 'Allow', Action: '*', NotResource: arn('eu-*') },
    false,
    false,
  ],
  ['any: each region is its own', deny(arn('eu-west-2')), false, false, 'any'],
  [
    'a Deny on the region that is asked',
    when({ StringEquals: { 'aws:RequestedRegion': 'eu-west-2' } }),
    true,
    false,
  ],
  [
    'a Deny outside of regions, home being one',
    when({ StringNotEquals: { 'aws:RequestedRegion': ['eu-west-2'] } }),
    false,
    true,
  ],
  [
    'a Deny on asked regions by a wildcard',
    when({ StringLike: { 'aws:RequestedRegion': 'eu-*' } }),
    true,
    true,
  ],
  [
    'a Deny outside of regions by a wildcard, home not being written',
    when({ StringNotLike: { 'aws:RequestedRegion': 'eu-*' } }),
    true,
    false,
  ],
];

suite('a region that is no registry of its own is home, in policies too:', () => {
  for (const [name, statement, home, west, named = regions] of rows) {
    test(name, () => {
      equal(decides(statement, 'us-east-1', named), home, 'at home');
      equal(decides(statement, 'eu-west-1', named), west, 'in eu-west-1');
    });
  }
});
