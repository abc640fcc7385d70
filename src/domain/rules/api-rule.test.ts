import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { ApiUpstreams, RuleRequest, StoredRule } from './api-rule.ts';
import { readRuleRequest, ruleOfApi } from './api-rule.ts';
import { classifyHost } from '../names/address-guard.ts';
import { RegistryError } from '../errors.ts';
import { ruleIdentity, ruleMemoryKey } from './rule-identity.ts';

const arn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub-AbCdEf';
const request: RuleRequest = { prefix: 'hub', upstreamUrl: 'registry-1.docker.io', settings: {} };

interface Accepted {
  readonly what: string;
  readonly change: Partial<RuleRequest>;
  readonly under?: ApiUpstreams;
  readonly meaning: Readonly<Record<string, unknown>>;
}

suite('a request for a rule is read', () => {
  const rows: readonly Accepted[] = [
    { what: "a kind by the upstream's host", change: {}, meaning: { kind: 'docker-hub' } },
    {
      what: "Docker Hub by an alias of its host, which leads to Docker Hub's registry",
      change: { upstreamUrl: 'docker.io' },
      meaning: {
        kind: 'docker-hub',
        upstream: {
          origin: 'https://registry-1.docker.io',
          host: 'registry-1.docker.io',
          plain: false,
        },
      },
    },
    {
      what: 'a registry that ECR does not know, without a kind',
      change: { upstreamUrl: 'mcr.microsoft.com' },
      meaning: { kind: undefined },
    },
    {
      what: 'a registry of Azure by its custom name',
      change: { upstreamUrl: 'team.azurecr.io' },
      meaning: { kind: 'azure-container-registry' },
    },
    {
      what: 'a private registry of ECR',
      change: { upstreamUrl: '111122223333.dkr.ecr.eu-west-2.amazonaws.com' },
      meaning: { kind: 'ecr' },
    },
    { what: 'p/ as p', change: { prefix: 'team/hub/' }, meaning: { prefix: 'team/hub' } },
    { what: 'ROOT', change: { prefix: 'ROOT' }, meaning: { prefix: 'ROOT', upstreamPrefix: '' } },
    {
      what: 'a prefix that is an alias of a host, by its name',
      change: { prefix: 'index.docker.io' },
      meaning: { prefix: 'docker.io' },
    },
    {
      what: 'a prefix of 128 characters',
      change: { prefix: 'a'.repeat(128) },
      meaning: { prefix: 'a'.repeat(128) },
    },
    {
      what: 'upstreamRepositoryPrefix ROOT as none',
      change: { upstreamPrefix: 'ROOT' },
      meaning: { upstreamPrefix: '' },
    },
    {
      what: 'an upstreamRepositoryPrefix with its slash at the end',
      change: { upstreamPrefix: 'team-a/' },
      meaning: { upstreamPrefix: 'team-a' },
    },
    {
      what: 'a kind that needs a secret at ECR, without one',
      change: { upstreamUrl: 'ghcr.io' },
      under: 'public',
      meaning: { kind: 'github-container-registry' },
    },
    {
      what: 'a kind that needs a secret at ECR, with one',
      change: { upstreamUrl: 'ghcr.io', credentialArn: arn },
      under: 'strict',
      meaning: { kind: 'github-container-registry' },
    },
    {
      what: 'a kind that needs none, without one',
      change: { upstreamUrl: 'registry.k8s.io' },
      under: 'strict',
      meaning: { kind: 'k8s' },
    },
    {
      what: 'http, a port and a private address',
      change: { upstreamUrl: 'http://127.0.0.1:5050' },
      under: 'any',
      meaning: { kind: undefined },
    },
  ];
  for (const { what, change, under = 'public', meaning } of rows)
    test(`under ${under}: ${what}`, () => {
      const read: Readonly<Record<string, unknown>> = {
        ...readRuleRequest({ ...request, ...change }, under),
      };
      deepEqual(Object.fromEntries(Object.keys(meaning).map((key) => [key, read[key]])), meaning);
    });
});

interface Refused {
  readonly what: string;
  readonly change: Partial<RuleRequest>;
  readonly under?: ApiUpstreams;
  readonly reason: RegistryError['kind'];
  readonly says: RegExp;
}

const invalidUrl = (url: string): RegExp =>
  new RegExp(
    `^The upstream registry URL ${url} is invalid\\. Specify a valid upstream registry URL and try again`,
  );

suite('a request for a rule is refused', () => {
  const rows: readonly Refused[] = [
    ...['mcr.microsoft.com', 'docker.io', 'https://quay.io', 'quay.io/x', 'xquay.io'].map(
      (url): Refused => ({
        what: `${url}, in the words of ECR alone`,
        change: { upstreamUrl: url },
        under: 'strict',
        reason: 'upstreamUnsupported',
        says: new RegExp(`${invalidUrl(url).source}$`),
      }),
    ),
    {
      what: 'a kind that needs a secret, without one',
      change: {},
      under: 'strict',
      reason: 'upstreamUnsupported',
      says: /^The specified upstream registry requires authentication\. Specify a valid Secrets Manager ARN/,
    },
    ...[
      'http://registry.example.com',
      'registry.example.com:5000',
      '10.0.0.1',
      'localhost',
      'https://127.0.0.1',
      '[::1]',
      'metadata.google.internal',
      'registry',
      'registry.corp.internal',
      'printer.local',
      '2130706433',
      '0x7f.1',
    ].map((url): Refused => ({
      what: `${url}, naming the setting`,
      change: { upstreamUrl: url },
      reason: 'upstreamUnsupported',
      says: /apiUpstreams: public .*apiUpstreams: any/,
    })),
    {
      what: 'a path behind the host',
      change: { upstreamUrl: 'quay.io/coreos' },
      reason: 'upstreamUnsupported',
      says: /write quay\.io, and what follows it as upstreamPrefix/,
    },
    {
      what: 'a kind that is not the one of the URL',
      change: { upstreamRegistry: 'quay' },
      reason: 'upstreamUnsupported',
      says: /registry-1\.docker\.io is not of the upstream registry quay/,
    },
    {
      what: 'a kind that ECR does not know',
      change: { upstreamRegistry: 'hub' },
      reason: 'upstreamUnsupported',
      says: /The upstream registry hub is invalid\. Specify one of ecr, /,
    },
    {
      what: 'no prefix',
      change: { prefix: '' },
      reason: undefined,
      says: /^prefix: /,
    },
    {
      what: 'a prefix of two slashes at the end',
      change: { prefix: 'a//' },
      reason: undefined,
      says: /^prefix: /,
    },
    {
      what: 'a prefix of 129 characters',
      change: { prefix: 'a'.repeat(129) },
      reason: undefined,
      says: /128 characters at most/,
    },
    {
      what: 'a prefix upstream of ROOT',
      change: { prefix: 'ROOT', upstreamPrefix: 'team' },
      reason: undefined,
      says: /^upstreamPrefix: a rule whose prefix is ROOT/,
    },
    {
      what: 'capitals upstream',
      change: { upstreamPrefix: 'Team' },
      reason: undefined,
      says: /^upstreamPrefix: /,
    },
    {
      what: 'a secret of another name',
      change: { credentialArn: arn.replace('ecr-pullthroughcache', 'hub') },
      reason: undefined,
      says: /^credential: .*ecr-pullthroughcache/,
    },
    {
      what: 'a role that is none',
      change: { roleArn: 'arn:aws:iam::000000000000:user/x' },
      reason: undefined,
      says: /^role: /,
    },
    {
      what: 'a time below zero',
      change: { settings: { freshForMs: -1 } },
      reason: undefined,
      says: /^freshForMs: /,
    },
    {
      what: 'a pattern that is none',
      change: { settings: { deny: ['a b'] } },
      reason: undefined,
      says: /^deny: /,
    },
    {
      what: 'a platform that is none',
      change: { settings: { platforms: ['linux'] } },
      reason: undefined,
      says: /^platforms: /,
    },
  ];
  for (const { what, change, under = 'public', reason, says } of rows)
    test(`under ${under}: ${what}`, () => {
      throws(
        () => readRuleRequest({ ...request, ...change }, under),
        (error) => {
          ok(error instanceof RegistryError);
          equal(error.kind, reason);
          ok(says.test(error.message), error.message);
          return true;
        },
      );
    });

  test('whatever the text of a URL is, it is read or refused, and none that is read leads under public to what is not', () => {
    const part = fc.constantFrom(
      'http://',
      'https://',
      '127.0.0.1',
      'a.b',
      ':',
      '80',
      '/',
      '@',
      '[',
      ']',
      '.',
      'x',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const upstreamUrl = parts.join('');
        try {
          const { upstream } = readRuleRequest({ ...request, upstreamUrl }, 'public');
          const known = classifyHost(upstream.host) ?? 'public';
          ok(!upstream.plain && known === 'public', upstream.origin);
          ok(!/:\d/.test(upstream.host), upstream.origin);
        } catch (error) {
          ok(error instanceof RegistryError, String(error));
        }
      }),
    );
  });
});

const credential = { name: arn, username: 'ann', accessToken: 't0ken' };
const stored: StoredRule = {
  ...request,
  id: 'R-1',
  revision: 1,
  credentialArn: arn,
  credential,
  credentialProblem: undefined,
};

suite('a stored rule', () => {
  test('with a credential is for nobody anonymous, unless it says so', () => {
    equal(ruleOfApi(stored, 'public').anonymousPull, false);
    const open = { ...stored, settings: { anonymousPull: true } };
    equal(ruleOfApi(open, 'public').anonymousPull, true);
    equal(ruleOfApi({ ...stored, credential: undefined }, 'public').anonymousPull, true);
  });

  test('whose upstream the setting admits no more is there, and not asked', () => {
    const rule = ruleOfApi({ ...stored, upstreamUrl: 'http://127.0.0.1:5000' }, 'public');
    equal(rule.urls[0]?.origin, 'http://127.0.0.1:5000');
    ok(rule.blocked?.includes('apiUpstreams: public'));
    equal(ruleOfApi({ ...stored, credentialArn: undefined }, 'strict').blocked, undefined);
  });

  test('whose secret cannot be had is not asked either, and keeps its identity', () => {
    const problem = 'the secret has no value';
    const without = { ...credential, accessToken: '' };
    const rule = ruleOfApi({ ...stored, credential: without, credentialProblem: problem }, 'any');
    equal(rule.blocked, problem);
    equal(ruleIdentity(rule), ruleIdentity(ruleOfApi(stored, 'any')));
  });

  test('reaches public addresses alone, but where all are admitted', () => {
    equal(ruleOfApi(stored, 'public').reach, 'public');
    equal(ruleOfApi(stored, 'strict').reach, 'public');
    equal(ruleOfApi(stored, 'any').reach, undefined);
  });

  test('is another one than what has its prefix, and remembers nothing over a change', () => {
    const rule = ruleOfApi(stored, 'any');
    const other = ruleOfApi({ ...stored, id: 'R-2' }, 'any');
    const changed = ruleOfApi({ ...stored, revision: 2 }, 'any');
    ok(ruleIdentity(rule) !== ruleIdentity(other));
    equal(ruleIdentity(changed), ruleIdentity(rule));
    ok(ruleMemoryKey(changed) !== ruleMemoryKey(rule));
  });
});
