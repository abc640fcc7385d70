import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { createTestInvalidations } from '../../../tests/support/rigs/invalidations.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import { anonymous } from '../../domain/policy/principal.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { Asker, AuditEntry, Caller, RequestFrom } from '../access.ts';
import { createAuthorizer } from '../authorize/authorizer.ts';
import { AccessRefused, createAdmission, requestFrom } from './admission.ts';
import type { Admission, Place } from './admission.ts';

const home = '000000000000';
const name = 'team/app' as RepositoryName;
const rule = { prefix: 'team', credential: undefined, anonymousPull: true } as PullRule;
const place: Place = {
  registry: homeRegistry,
  target: { rule, repository: name, upstreamRepository: name },
};
const from: RequestFrom = {
  address: '203.0.113.9',
  secure: true,
  isLoopback: false,
  userAgent: undefined,
  requestId: 'r-1',
};
const user: Caller = {
  principal: { kind: 'user', account: home, name: 'ann' },
  via: 'key',
  scopes: undefined,
};
const nobody: Caller = { principal: anonymous, via: 'none', scopes: undefined };
const administrator: Caller = {
  principal: { kind: 'administrator', account: home },
  via: 'key',
  scopes: undefined,
};
const reads = [actions.getManifest, actions.getBlob];

interface Started {
  readonly admission: Admission;
  readonly audited: AuditEntry[];
}

/** `allowed`: what ann may; the repository was pushed, or is not there. */
function start(allowed: readonly string[], isThere = true): Started {
  const audited: AuditEntry[] = [];
  const audit = { record: (entry: AuditEntry): void => void audited.push(entry) };
  const row = {
    private: false,
    stopped: undefined,
    createdAt: 0,
    pushed: true,
    tagMutability: mutableTags,
    policy: undefined,
  };
  const Statement =
    allowed.length === 0 ? [] : [{ Effect: 'Allow', Action: allowed, Resource: '*' }];
  const text = JSON.stringify({ Version: '2012-10-17', Statement });
  const metadata = {
    repositories: { findRepository: async () => (isThere ? row : undefined) },
    managedPolicies: { listAttachedPolicies: async () => [] },
    identities: {
      findRegistryPolicy: async () => undefined,
      listIdentityPolicies: async (account: string, principal: string) =>
        allowed.length === 0 ? [] : [{ account, principal, name: 'inline', text, updatedAt: 0 }],
    },
  };
  const authorizer = createAuthorizer({
    metadata,
    audit,
    clock: createFakeClock(),
    invalidations: createTestInvalidations(),
    settings: () => ({ anonymousPull: false, anonymousImport: false, regions: ['us-east-1'] }),
  });
  const admission = createAdmission({ authorizer, metadata, audit, home: () => homeRegistry });
  return { admission, audited };
}

/** What was thrown: its reason and code, and what the audit has of it. */
async function refusalOf({ audited }: Started, ask: () => unknown): Promise<unknown[]> {
  let thrown: unknown;
  try {
    await ask();
  } catch (error) {
    thrown = error;
  }
  ok(thrown instanceof AccessRefused, `no refusal: ${String(thrown)}`);
  return [thrown.reason, thrown.code, audited.map(({ kind, action }) => `${kind} ${action}`)];
}

suite('a refusal says no more than the asker may see, and is recorded once', () => {
  const rows: readonly (readonly [
    what: string,
    caller: Caller,
    allowed: readonly string[],
    refusal: readonly [string, string],
  ])[] = [
    ['anonymous may have a login', nobody, [], ['login', 'unauthorized']],
    ['who may see nothing of it', user, [], ['hidden', 'nameUnknown']],
    ['who may read it', user, reads, ['forbidden', 'denied']],
    ['who may list it', user, [actions.listRepositories], ['forbidden', 'denied']],
  ];
  for (const [what, caller, allowed, refusal] of rows)
    test(`of a push, to ${what}: ${refusal.join(', ')}`, async () => {
      const started = start(allowed);
      const ask = () => started.admission.require({ caller, from }, place, [actions.putManifest]);
      deepEqual(await refusalOf(started, ask), [...refusal, ['denial ecr:PutImage']]);
    });

  test('of a pull, which is never seen to be refused where it is hidden', async () => {
    const started = start([]);
    const ask = () =>
      started.admission.requirePull({ caller: user, from }, place, actions.getManifest);
    deepEqual(await refusalOf(started, ask), [
      'hidden',
      'nameUnknown',
      ['denial ecr:BatchGetImage'],
    ]);
  });

  test('of a HEAD of a blob, as the last of the two actions that would do', async () => {
    const started = start([]);
    const ask = () =>
      started.admission.requirePull(
        { caller: user, from },
        place,
        actions.getBlob,
        actions.checkBlob,
      );
    const [, , audited] = await refusalOf(started, ask);
    deepEqual(audited, [`denial ${actions.checkBlob}`]);
  });

  test('of a push into a repository that is missing, without the right to make it', async () => {
    const started = start([actions.putManifest], false);
    const asker = { caller: user, from };
    await started.admission.require(asker, place, [actions.putManifest]);
    const ask = () => started.admission.require(asker, place, [actions.putManifest], true);
    const [, , audited] = await refusalOf(started, ask);
    deepEqual(audited, ['denial ecr:CreateRepository']);
  });
});

suite('a pull may import', () => {
  const brings = [...reads, actions.importUpstream];
  const rows: readonly (readonly [
    string,
    readonly string[],
    boolean,
    Partial<RequestFrom>,
    boolean,
  ])[] = [
    ['with the right to', brings, true, {}, true],
    ['not without', reads, true, {}, false],
    ['not where the repository is missing and may not be made', brings, false, {}, false],
    ['where it may', [...brings, actions.createRepository], false, {}, true],
    ["not for another site's page", brings, true, { otherSite: 'origin: http://evil' }, false],
  ];
  for (const [what, allowed, isThere, change, imports] of rows)
    test(what, async () => {
      const { admission, audited } = start(allowed, isThere);
      const asker = { caller: user, from: { ...from, ...change } };
      equal(await admission.requirePull(asker, place, actions.getManifest), imports);
      deepEqual(audited, []);
    });

  for (const [what, allowed, isThere, change, error] of [
    ['there', reads, true, {}, ['manifestUnknown', 'denial ecr:BatchImportUpstreamImage']],
    ['missing', brings, false, {}, ['nameUnknown', 'denial ecr:CreateRepository']],
    [
      'asked for by another site',
      brings,
      true,
      { otherSite: 'origin: http://evil' },
      ['denied', 'denial ecr:BatchImportUpstreamImage'],
    ],
  ] as const)
    test(`what is not in the cache, and may not be fetched, of a repository that is ${what}: ${error[0]}`, async () => {
      const { admission, audited } = start(allowed, isThere);
      const asker = { caller: user, from: { ...from, ...change } };
      const { code } = await admission.notImported(asker, place);
      deepEqual([code, ...audited.map(({ kind, action }) => `${kind} ${action}`)], error);
    });
});

suite('what is asked without being recorded', () => {
  test('all of the actions, or one of them', async () => {
    const { admission, audited } = start([actions.getManifest]);
    const asker = { caller: user, from };
    equal(await admission.may(asker, place, [actions.getManifest]), true);
    equal(await admission.may(asker, place, reads), false);
    equal(await admission.mayAny(asker, place, reads), true);
    deepEqual(audited, []);
  });

  test('whether a token is all that is in the way', async () => {
    const { admission } = start(reads);
    const narrow: Caller = { ...user, via: 'bearer', scopes: [] };
    const isNarrowed = (caller: Caller): Promise<boolean> =>
      admission.isNarrowed({ caller, from }, place, actions.getManifest);
    equal(await isNarrowed(narrow), true);
    equal(await isNarrowed({ ...narrow, credentialScopes: [] }), false);
    equal(await isNarrowed({ ...narrow, via: 'token' }), false);
  });
});

suite('accounts and the server', () => {
  const theirs = { account: '111111111111', name: 'bob' };
  const rows: readonly (readonly [string, Caller, readonly string[], string | undefined])[] = [
    ['the operator, of any account', administrator, [], undefined],
    ['the operator by an ECR password: not', { ...administrator, via: 'ecr' }, [], 'shown as ecr'],
    ['a user: not', user, [], 'no statement'],
    ['a user whose policy allows it, of another account: not', user, ['iam:*'], 'another account'],
  ];
  for (const [what, caller, allowed, because] of rows)
    test(`keys are made by ${what}`, async () => {
      const { admission, audited } = start(allowed);
      const ask = admission.requireIdentity(
        { caller, from },
        identityActions.createAccessKey,
        theirs,
      );
      if (because === undefined) await ask;
      else await rejects(ask, { code: 'denied' });
      deepEqual(
        audited.map(({ detail }) => String(detail['because']).includes(because ?? '')),
        because === undefined ? [] : [true],
      );
    });

  const needs: readonly (readonly [string, Caller, boolean, boolean, boolean])[] = [
    ['a registry token reads', { ...user, via: 'bearer' }, false, false, true],
    ['a registry token changes nothing', { ...user, via: 'bearer' }, true, false, false],
    ['a user operates nothing', user, false, true, false],
    ['the operator operates', administrator, true, true, true],
    ['a token with scopes does not', { ...administrator, scopes: [] }, false, true, false],
  ];
  for (const [what, caller, changes, operator, allowed] of needs)
    test(what, () => {
      const { admission, audited } = start([]);
      const asker: Asker = { caller, from };
      let refused = false;
      try {
        admission.requireCredential(asker, 'GET /x', { changes, operator });
      } catch {
        refused = true;
      }
      deepEqual([refused, audited.length], [!allowed, allowed ? 0 : 1]);
    });
});

const request = {
  id: 'r-1',
  clientAddress: '203.0.113.9',
  secure: true,
  isLoopback: false,
};

test('policies see the first 1,024 characters of a header', () => {
  const headers = { 'user-agent': `${'a'.repeat(1024)}b` };
  equal(requestFrom({ ...request, headers }).userAgent, 'a'.repeat(1024));
});

test('a header that is missing stays so', () => {
  equal(requestFrom({ ...request, headers: {} }).userAgent, undefined);
});
