import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ruleDefaults } from '../domain/rules/builtin-rules.ts';
import type { PullRule } from '../domain/rules/pull-rule.ts';
import { admitsRealm, credentialFor } from './credentials.ts';

const credential = { name: 'c', username: 'u', accessToken: 'secret' };

function ruleOf(host: string, more: Partial<PullRule> = {}): PullRule {
  const url = { origin: `https://${host}`, host, plain: false };
  return {
    ...ruleDefaults,
    prefix: 'p',
    origin: 'file',
    urls: [url],
    upstreamHost: host,
    credential,
    ...more,
  };
}

function admits(host: string, realm: string, more: Partial<PullRule> = {}): boolean {
  const rule = ruleOf(host, more);
  const [url] = rule.urls;
  assert.ok(url);
  return admitsRealm(rule, url, new URL(realm));
}

const real: readonly (readonly [registry: string, realm: string])[] = [
  ['registry-1.docker.io', 'https://auth.docker.io/token'],
  ['ghcr.io', 'https://ghcr.io/token'],
  ['quay.io', 'https://quay.io/v2/auth'],
  ['registry.gitlab.com', 'https://gitlab.com/jwt/auth'],
  ['gcr.io', 'https://gcr.io/v2/token'],
  ['us-docker.pkg.dev', 'https://us-docker.pkg.dev/v2/token'],
  ['public.ecr.aws', 'https://public.ecr.aws/token/'],
  ['team.azurecr.io', 'https://team.azurecr.io/oauth2/token'],
  ['team.jfrog.io', 'https://team.jfrog.io/artifactory/api/docker/docker/v2/token'],
  ['team-docker.jfrog.io', 'https://team-docker.jfrog.io/v2/token'],
  ['nvcr.io', 'https://nvcr.io/proxy_auth'],
  ['registry.access.redhat.com', 'https://registry.access.redhat.com/auth/realms/rhcc/token'],
  ['mcr.microsoft.com', 'https://mcr.microsoft.com/oauth2/token'],
  ['cgr.dev', 'https://cgr.dev/token'],
  ['docker.elastic.co', 'https://docker-auth.elastic.co/auth'],
  ['registry.cn-hangzhou.aliyuncs.com', 'https://dockerauth.cn-hangzhou.aliyuncs.com/auth'],
  ['t-registry.cn-beijing.cr.aliyuncs.com', 'https://dockerauth-ee.cn-beijing.aliyuncs.com/auth'],
  ['harbor.example.co.uk', 'https://sso.example.co.uk/service/token'],
  ['us.icr.io', 'https://us.icr.io/oauth/token'],
  ['docker.cloudsmith.io', 'https://docker.cloudsmith.io/v2/token'],
];

suite('the credential goes to the token service of', () => {
  for (const [registry, realm] of real)
    test(`${registry} at ${realm}`, () => assert.ok(admits(registry, realm)));
});

const others: readonly (readonly [registry: string, realm: string])[] = [
  ['team.azurecr.io', 'https://evil.azurecr.io/oauth2/token'],
  ['team.azurecr.cn', 'https://evil.azurecr.cn/oauth2/token'],
  ['team.jfrog.io', 'https://evil.jfrog.io/token'],
  ['team.jfrog.io', 'https://docker.team.jfrog.io/token'],
  ['us-docker.pkg.dev', 'https://evil-docker.pkg.dev/token'],
  [
    '000000000000.dkr.ecr.us-east-1.amazonaws.com',
    'https://111111111111.dkr.ecr.us-east-1.amazonaws.com/',
  ],
  ['000000000000.dkr.ecr.us-east-1.amazonaws.com', 'https://evil.s3.amazonaws.com/token'],
  ['000000000000.dkr.ecr.us-east-1.amazonaws.com', 'https://ec2-1-2-3-4.amazonaws.com/token'],
  ['000000000000.dkr.ecr.cn-north-1.amazonaws.com.cn', 'https://evil.amazonaws.com.cn/'],
  ['team.github.io', 'https://evil.github.io/token'],
  ['registry.cn-hangzhou.aliyuncs.com', 'https://evil.oss-cn-hangzhou.aliyuncs.com/auth'],
  ['registry.cn-hangzhou.aliyuncs.com', 'https://dockerauth.oss-cn-hangzhou.aliyuncs.com/auth'],
  ['registry.example.com', 'https://dockerauth.cn-hangzhou.aliyuncs.com/auth'],
  ['a.blob.core.windows.net', 'https://b.blob.core.windows.net/token'],
  ['registry.example.co.uk', 'https://evil.co.uk/token'],
  ['registry-1.docker.io', 'https://auth.docker.io.evil.example/token'],
  ['registry-1.docker.io', 'http://auth.docker.io/token'],
  ['127.0.0.1', 'https://127.0.0.2/token'],
];

suite('the credential goes to no neighbour:', () => {
  for (const [registry, realm] of others)
    test(`from ${registry} to ${realm}`, () => assert.ok(!admits(registry, realm)));
});

test('allowHosts admits a host of a shared domain', () => {
  const allowHosts = ['login.azurecr.io'];
  assert.ok(admits('team.azurecr.io', 'https://login.azurecr.io/token', { allowHosts }));
});

test('a mirror on the shared domain of the first URL gets no credential', () => {
  const mirror = { origin: 'https://b.azurecr.io', host: 'b.azurecr.io', plain: false };
  assert.equal(credentialFor(ruleOf('a.azurecr.io'), mirror), undefined);
  const rule = ruleOf('registry-1.docker.io');
  const own = { origin: 'https://mirror.docker.io', host: 'mirror.docker.io', plain: false };
  assert.equal(credentialFor(rule, own), credential);
});
