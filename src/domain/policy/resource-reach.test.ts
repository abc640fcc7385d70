import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessDecision, PolicyKind } from './policy.ts';
import { evaluatePolicies } from './evaluator.ts';
import { parsePolicy } from './parser.ts';
import type { Principal } from './principal.ts';

const home = '000000000000';
const root: Principal = { kind: 'administrator', account: home };
const user: Principal = { kind: 'user', account: home, name: 'ci' };
const otherRoot: Principal = { kind: 'administrator', account: '111122223333' };
const otherUser: Principal = { kind: 'user', account: '111122223333', name: 'ci' };

const everything = { Effect: 'Allow', Action: '*', Resource: '*' };
const forAll = { ...everything, Principal: '*' };
const denyAll = { ...forAll, Effect: 'Deny' };
const allButPush = { Effect: 'Allow', Principal: '*', NotAction: 'ecr:PutImage', Resource: '*' };

function decide(
  principal: Principal,
  action: string,
  policies: { readonly identity?: object; readonly registry?: object },
): AccessDecision['reason'] {
  const named = (kind: PolicyKind, statement: object | undefined) =>
    statement === undefined
      ? []
      : [{ name: kind, document: parsePolicy(JSON.stringify({ Statement: statement }), kind) }];
  return evaluatePolicies({
    principal,
    action,
    resource: '*',
    resourceAccount: home,
    context: new Map(),
    identityPolicies: named('identity', policies.identity),
    resourcePolicies: named('registry', policies.registry),
  }).reason;
}

for (const action of [
  'iam:CreateAccessKey',
  'iam:PutUserPolicy',
  'IAM:CreateUser',
  'cloudtrail:LookupEvents',
]) {
  test(`A registry policy gives nobody ${action}, whatever its wildcards.`, () => {
    for (const registry of [forAll, allButPush]) {
      assert.equal(decide(user, action, { registry }), 'noStatement');
      assert.equal(decide(otherRoot, action, { registry }), 'crossAccount');
      assert.equal(decide(otherUser, action, { registry, identity: everything }), 'crossAccount');
    }
  });
  test(`A registry policy takes ${action} from nobody.`, () => {
    assert.equal(
      decide(user, action, { registry: denyAll, identity: everything }),
      'identityAllow',
    );
    assert.equal(decide(root, action, { registry: denyAll }), 'administrator');
  });
}

test('A registry policy gives no authorization token, and may take it away.', () => {
  const action = 'ecr:GetAuthorizationToken';
  assert.equal(decide(user, action, { registry: forAll }), 'noStatement');
  assert.equal(decide(user, action, { identity: everything }), 'identityAllow');
  assert.equal(decide(user, action, { identity: everything, registry: denyAll }), 'explicitDeny');
});

test('A registry policy gives every action of ECR beside.', () => {
  for (const action of ['ecr:PutImage', 'ECR:BatchGetImage', 'ecr:DescribeRepositories'])
    assert.equal(decide(user, action, { registry: forAll }), 'resourceAllow');
});
