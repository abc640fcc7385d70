import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ruleDefaults } from './builtin-rules.ts';
import type { PullRule } from './pull-rule.ts';
import { ruleIdentity } from './rule-identity.ts';

const at = (host: string) => ({ origin: `https://${host}`, host, plain: false });
const credential = { name: 'ecr-pullthroughcache/hub', username: 'ann', accessToken: 't0ken' };
const certificate = { cert: 'c', key: 'k', holder: 'ann' };
const rule: PullRule = {
  ...ruleDefaults,
  prefix: 'hub',
  origin: 'file',
  urls: [at('hub.test')],
  upstreamHost: 'hub.test',
  credential,
};

suite('the identity of a rule', () => {
  const rows: readonly { what: string; change: Partial<PullRule>; same: boolean }[] = [
    { what: 'nothing, read again', change: {}, same: true },
    { what: 'its upstream', change: { urls: [at('other.test')] }, same: false },
    {
      what: 'its scheme',
      change: { urls: [{ ...at('hub.test'), origin: 'http://hub.test' }] },
      same: false,
    },
    { what: 'a mirror', change: { urls: [at('hub.test'), at('mirror.test')] }, same: true },
    { what: 'its upstreamPrefix', change: { upstreamPrefix: 'team' }, same: false },
    { what: 'its prefix', change: { prefix: 'docker.io' }, same: false },
    { what: 'its credential taken away', change: { credential: undefined }, same: false },
    {
      what: 'another credential',
      change: { credential: { ...credential, name: 'x' } },
      same: false,
    },
    {
      what: 'another user',
      change: { credential: { ...credential, username: 'bob' } },
      same: false,
    },
    {
      what: 'a renewed token',
      change: { credential: { ...credential, accessToken: 'n' } },
      same: true,
    },
    {
      what: 'an account that only the token says',
      change: { credential: { ...credential, account: 'a' } },
      same: false,
    },
    { what: 'a client certificate', change: { clientCert: certificate }, same: false },
    { what: 'who may read', change: { anonymousPull: true }, same: true },
    { what: 'how fresh it is kept', change: { freshForMs: 1 }, same: true },
  ];
  test('stays with a renewed client certificate, and changes with another holder', () => {
    const one = { ...rule, credential: undefined, clientCert: certificate };
    const renewed = { ...certificate, cert: 'd' };
    const others = { ...certificate, holder: 'bob' };
    assert.equal(ruleIdentity({ ...one, clientCert: renewed }), ruleIdentity(one));
    assert.notEqual(ruleIdentity({ ...one, clientCert: others }), ruleIdentity(one));
  });

  for (const { what, change, same } of rows) {
    test(`${same ? 'stays with' : 'changes with'} ${what}`, () => {
      assert.equal(ruleIdentity({ ...rule, ...change }) === ruleIdentity(rule), same);
    });
  }

  test('says nothing of the token', () => {
    assert.equal(ruleIdentity(rule), 'hub https://hub.test/ as ecr-pullthroughcache%2Fhub:ann');
  });
});
