import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { openKeyStore } from '../access/secrets/key-store.ts';
import type { Config } from '../config/config.ts';
import { readConfig } from '../config/load.ts';
import { registryKey } from '../domain/names/registry.ts';
import type { PullRuleRow } from '../metadata/contract/rows.ts';
import { openSqliteMetadata } from '../metadata/engine/sqlite.ts';
import { ownerOfSealed } from '../operations/keys/sealed-owner.ts';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { homeRegistry } from '../../tests/support/samples/home-registry.ts';
import { inspectKeys } from './keys-inspection.ts';
import { readServedRules } from './rules-inspection.ts';

interface Rig extends AsyncDisposable {
  readonly config: Config;
  readonly keyFile: string;
  /** Seals an access key, and the secret `hub`; `change` spoils the text. */
  put(change?: (sealed: string) => string, name?: string): Promise<void>;
  add(): Promise<void>;
  makeRule(prefix: string, rule: Partial<PullRuleRow>): Promise<void>;
  look(change?: Partial<Config>, env?: NodeJS.ProcessEnv): Promise<readonly string[]>;
}

const given = Buffer.alloc(32, 7).toString('base64');

async function openRig(): Promise<Rig> {
  const dataDir = await mkdtemp(join(tmpdir(), 'breakwater-inspection-'));
  const env = {
    BREAKWATER__DATA_DIR: dataDir,
    BREAKWATER__RULES: '[{prefix: a, upstream: a.example, credential: hub}]',
  };
  const { config } = await readConfig({ env, cwd: dataDir });
  const clock = createFakeClock();
  const keys = await openKeyStore(dataDir, clock);
  let madeAt = 0;
  const metadata = await openSqliteMetadata(join(dataDir, 'metadata.sqlite'));
  return {
    config,
    keyFile: join(dataDir, 'keys', (await readdir(join(dataDir, 'keys')))[0]!),
    put: async (change = (sealed) => sealed, name = 'hub') => {
      const times = { createdAt: 1, expiresAt: undefined, lastUsedAt: undefined };
      const owner = { account: '000000000000', name: undefined, active: true };
      const sealedSecret = change(keys.seal('secret', 'AKIA'));
      await metadata.identities.createAccessKey({ id: 'AKIA', sealedSecret, ...owner, ...times });
      const id = [homeRegistry, name, 'v1'];
      const value = 's{"username":"ann","accessToken":"t0ken"}';
      const of = ownerOfSealed('secretValues', { id, suffix: 'AbCdEf', sealed: '' });
      const secret = {
        registry: homeRegistry,
        name,
        suffix: 'AbCdEf',
        tags: [],
        token: 't',
        createdAt: 1,
        changedAt: 1,
        versions: [{ id: 'v1', stages: ['AWSCURRENT'], createdAt: 1 }],
      };
      const sealed = change(keys.seal(value, of));
      await metadata.secrets.createSecret({ secret, sealed, secretsMax: 9, now: 1 });
    },
    add: async () => {
      clock.advance(1);
      await keys.add();
    },
    makeRule: async (prefix, change) => {
      madeAt += 1;
      const rule = {
        registry: homeRegistry,
        prefix,
        id: `id-${prefix}`,
        givenPrefix: prefix,
        upstreamUrl: '',
        upstreamRegistry: undefined,
        upstreamPrefix: undefined,
        credentialArn: undefined,
        roleArn: undefined,
        settings: {},
        holder: undefined,
        createdAt: madeAt,
        updatedAt: madeAt,
        ...change,
      };
      const made = await metadata.rules.createPullRule({ rule, rulesMax: 1000, allMax: 1000 });
      assert.equal(made, 'created');
    },
    look: async (change = {}, of = {}) =>
      (await inspectKeys({ ...config, ...change }, of)).map(
        ({ description, result, error = '' }) =>
          `${result}: ${description.replaceAll(/\bkey [a-z2-7]{8}\b/g, 'key KEY').replaceAll(dataDir, 'D')}${error && `: ${error}`}`,
      ),
    [Symbol.asyncDispose]: async () => {
      await metadata[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true });
    },
  };
}

const ofFile = [
  'success: key KEY seals (D/keys)',
  'success: keys are closed to others',
  'success: D/keys lies beside the database: a backup of both opens what is sealed; keys.from takes keys from elsewhere',
];

test('keys of a data folder, and that all they have sealed opens', async () => {
  await using rig = await openRig();
  await rig.put();
  assert.deepEqual(await rig.look(), [
    ...ofFile,
    'success: 2 secrets are sealed by key KEY',
    'success: what is sealed opens',
  ]);
});

test('what an older key has sealed is a warning', async () => {
  await using rig = await openRig();
  await rig.put();
  await rig.add();
  const found = await rig.look();
  assert.deepEqual(found.slice(-2), [
    'warning: 2 secrets are sealed by key KEY: it seals no more',
    'success: what is sealed opens',
  ]);
});

test('a key that is not here, and what cannot be opened, are errors', async () => {
  await using rig = await openRig();
  await rig.put((sealed) => `${sealed.slice(0, -8)}AAAAAAAA`);
  assert.match(
    (await rig.look()).at(-1) ?? '',
    /^error: what is sealed opens: these cannot be opened: access key AKIA; secret hub of /,
  );
  const keys = { ...rig.config.keys, from: ['environment'] as const };
  assert.deepEqual(await rig.look({ keys }, { BREAKWATER_KEYS: given }), [
    'success: key KEY seals (the variable BREAKWATER_KEYS)',
    'error: 2 secrets are sealed by key KEY: it is not here: none of them can be used',
    'success: what is sealed opens',
  ]);
});

test('keys that cannot be had, or that others may read, are errors', async () => {
  await using rig = await openRig();
  const keys = { ...rig.config.keys, from: ['environment'] as const };
  assert.match((await rig.look({ keys }))[0] ?? '', /^error: keys can be had .*is not set/);
  await chmod(rig.keyFile, 0o604);
  assert.match((await rig.look())[0] ?? '', /^error: keys can be had .*open to everyone/);
  await chmod(rig.keyFile, 0o600);
  await chmod(join(rig.keyFile, '..'), 0o705);
  assert.match((await rig.look())[1] ?? '', /^error: keys are closed to others: mode 705/);
});

test('before the first start there is nothing to say of keys', async () => {
  await using rig = await openRig();
  const dataDir = join(rig.config.dataDir, 'none');
  assert.deepEqual((await rig.look({ dataDir })).length, 1);
});

test('a rule shows the secret that the server would show, or why it has none', async () => {
  await using rig = await openRig();
  const configured = { ...rig.config, rules: rig.config.rules.slice(0, 1) };
  const [before] = (await readServedRules(configured, {})).rules;
  assert.match(before?.blocked ?? '', /BREAKWATER__RULES.*: hub: no such secret/);
  await rig.put();
  const [rule] = (await readServedRules(rig.config, {})).rules;
  assert.deepEqual([rule?.blocked, rule?.credential?.accessToken], [undefined, 't0ken']);
});

suite('rules that were made through an API', () => {
  const name = 'ecr-pullthroughcache/hub';
  const arn = `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}-AbCdEf`;
  const look = async (rig: Rig, ...prefixes: readonly string[]): Promise<readonly string[]> =>
    (await readServedRules(rig.config, {})).rules
      .filter(({ prefix }) => prefixes.includes(prefix))
      .map(({ prefix, origin, urls, credential, blocked }) =>
        [prefix, origin, urls[0]?.host, credential?.accessToken, blocked].join(' ').trimEnd(),
      );

  test('are there beside those of the file, in the place of built-in ones, with their secrets', async () => {
    await using rig = await openRig();
    await rig.put(undefined, name);
    await rig.makeRule('k8s', { upstreamUrl: 'registry.example', credentialArn: arn });
    await rig.makeRule('docker.io', { upstreamUrl: 'hub.example' });
    assert.deepEqual(await look(rig, 'k8s', 'docker.io'), [
      'k8s api registry.example t0ken',
      'docker.io api hub.example',
    ]);
  });
  test('stay behind one of the file with their prefix', async () => {
    await using rig = await openRig();
    await rig.put();
    await rig.makeRule('a', { upstreamUrl: 'other.example' });
    assert.deepEqual(await look(rig, 'a', 'docker.io'), [
      'a file a.example t0ken',
      'docker.io builtin registry-1.docker.io',
    ]);
  });
  test('are blocked where their secret cannot be had, and where they may not lead', async () => {
    await using rig = await openRig();
    await rig.makeRule('k8s', { upstreamUrl: 'http://10.0.0.1', credentialArn: arn });
    const [made = ''] = await look(rig, 'k8s');
    assert.match(made, /^k8s api 10\.0\.0\.1 .*The upstream registry URL .* is invalid/);
    await rig.makeRule('docker.io', { upstreamUrl: 'hub.example', credentialArn: arn });
    assert.match(
      (await look(rig, 'docker.io'))[0] ?? '',
      /the secret that credentialArn names is not there$/,
    );
  });
  test('of other registries are none of home’s, and what is beyond a hundred, or cannot be read, is counted', async () => {
    await using rig = await openRig();
    for (let index = 0; index < 102; index += 1)
      await rig.makeRule(`p${index}`, { upstreamUrl: 'registry.example' });
    await rig.makeRule('odd', {
      upstreamUrl: 'registry.example',
      credentialArn: 'arn',
      createdAt: 0,
    });
    const registry = registryKey({ account: '111122223333', region: 'us-east-1' });
    await rig.makeRule('k8s', { registry, upstreamUrl: 'registry.example' });
    const { rules, unread } = await readServedRules(rig.config, {});
    assert.deepEqual([rules.filter(({ origin }) => origin === 'api').length, unread], [99, 4]);
    assert.ok(rules.every(({ prefix }) => prefix !== 'k8s'));
  });
});
