// ARNs of roles and sessions are read as they are written, and nothing else is taken for one.
import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  arnOf,
  arnOfKey,
  describePrincipal,
  isPrincipalName,
  isPrincipalPath,
  parsePrincipalArn,
  parseRoleArn,
  parseSessionArn,
  roleKey,
  roleNameOf,
} from './principal.ts';
import type { RolePrincipal } from './principal.ts';

const alphabet = 'abcXYZ019_+=,.@-'.split('');
const name = (minLength = 1) =>
  fc
    .array(fc.constantFrom(...alphabet), { minLength, maxLength: 64 })
    .map((letters) => letters.join(''));
const path = fc
  .array(name(), { maxLength: 3 })
  .map((parts) => `/${parts.map((each) => `${each}/`).join('')}`)
  .filter(isPrincipalPath);
const account = fc.constantFrom('000000000000', '111122223333');
const roles = fc.record({ account, name: name(), path }, { noNullPrototype: true });

suite('the ARN', () => {
  test('of a role says its account, its path and its name', () => {
    fc.assert(
      fc.property(roles, (role) => {
        deepEqual(parseRoleArn(arnOfKey(roleKey(role))), role);
        deepEqual(roleNameOf(roleKey(role).name), role.name);
      }),
    );
  });

  test('of a session says its role and its name; that of its role is another', () => {
    fc.assert(
      fc.property(roles, name(2), (role, session) => {
        const principal: RolePrincipal = { kind: 'role', ...role, session };
        const said = describePrincipal(principal);
        deepEqual(parseSessionArn(said), { account: role.account, name: role.name, session });
        deepEqual(parseRoleArn(arnOf(principal) ?? ''), role);
        equal(parseRoleArn(said), undefined);
        equal(parsePrincipalArn(said), undefined);
      }),
    );
  });

  test('is taken for no role or session where it says anything else', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        for (const arn of [text, `arn:aws:iam::000000000000:role/${text}`]) {
          const role = parseRoleArn(arn);
          equal(role === undefined ? arn : arnOfKey(roleKey(role)), arn);
        }
        const arn = `arn:aws:sts::000000000000:assumed-role/${text}`;
        const found = parseSessionArn(arn);
        const again =
          found && `arn:aws:sts::${found.account}:assumed-role/${found.name}/${found.session}`;
        equal(again ?? arn, arn);
      }),
    );
  });

  test('no name of a user is the key of a role', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 70 }), (text) => {
        if (isPrincipalName(text)) equal(roleNameOf(text), undefined);
      }),
    );
  });
});
