import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import type { FoundSecret } from '../../ports/secret-values.ts';
import { createStoredSecrets } from './stored-secrets.ts';

const registries = { registryId: '000000000000', regions: ['us-east-1', 'eu-west-1'] };
const broken = {
  seal: () => '',
  open: () => {
    throw new Error('its key is gone');
  },
};

const rows: readonly {
  readonly name: string;
  readonly calls: readonly (readonly [string, object])[];
  readonly without?: 'key';
  /** Of the asked ARN. */
  readonly cut?: number;
  readonly later?: number;
  readonly found: string;
}[] = [
  { name: 'with a value is found', calls: [['PutSecretValue', { SecretString: 'v' }]], found: 'v' },
  {
    name: 'is found by an ARN without its last characters',
    calls: [['PutSecretValue', { SecretString: 'v' }]],
    cut: -7,
    found: 'v',
  },
  {
    name: 'has the value that was put last',
    calls: [
      ['PutSecretValue', { SecretString: 'v' }],
      ['PutSecretValue', { SecretString: 'w' }],
    ],
    found: 'w',
  },
  { name: 'without a value has none', calls: [], found: 'noValue' },
  {
    name: 'of bytes has none',
    calls: [['PutSecretValue', { SecretBinary: 'AA==' }]],
    found: 'noValue',
  },
  {
    name: 'that is to be deleted is deleted',
    calls: [
      ['PutSecretValue', { SecretString: 'v' }],
      ['DeleteSecret', {}],
    ],
    found: 'deleted',
  },
  {
    name: 'whose time is over is not found',
    calls: [['DeleteSecret', {}]],
    later: 30 * 86_400_000,
    found: 'notFound',
  },
  {
    name: 'whose key is gone cannot be decrypted',
    calls: [['PutSecretValue', { SecretString: 'v' }]],
    without: 'key',
    found: 'undecryptable',
  },
  { name: 'of another suffix is not found', calls: [], cut: -1, found: 'notFound' },
];

async function make(aws: AwsRig, calls: readonly (readonly [string, object])[]): Promise<string> {
  const { json } = await aws.secrets('CreateSecret', { Name: 'ecr-pullthroughcache/hub' });
  for (const [operation, input] of calls) {
    const { status, text } = await aws.secrets(operation, { SecretId: json.ARN, ...input });
    assert.equal(status, 200, text);
  }
  return json.ARN;
}

const shown = (found: FoundSecret): string => (found.kind === 'value' ? found.text : found.kind);

test('for a rule a secret has its whole ARN and its own policy, whatever it was asked by.', async () => {
  await using aws = await openAws();
  const { metadata, clock, sealing } = aws.api;
  const secrets = createStoredSecrets({ metadata, clock, sealing, registries: () => registries });
  const arn = await make(aws, []);
  const Statement = [
    { Effect: 'Deny', Principal: '*', Action: 'secretsmanager:GetSecretValue', Resource: '*' },
  ];
  const ResourcePolicy = JSON.stringify({ Version: '2012-10-17', Statement });
  await aws.secrets('PutResourcePolicy', { SecretId: arn, ResourcePolicy });
  const named = { secret: arn, policy: ResourcePolicy };
  const find = (): Promise<FoundSecret> => secrets.find(homeRegistry, arn.slice(0, -7));
  assert.deepEqual(await find(), { kind: 'noValue', ...named });
  await aws.secrets('PutSecretValue', { SecretId: arn, SecretString: 'v' });
  assert.deepEqual(await find(), { kind: 'value', ...named, text: 'v' });
});

for (const { name, calls, without, cut, later = 0, found } of rows)
  test(`for a rule a secret ${name}.`, async () => {
    await using aws = await openAws();
    const arn = await make(aws, calls);
    const { metadata, clock, sealing } = aws.api;
    clock.advance(later);
    const secrets = createStoredSecrets({
      metadata,
      clock,
      sealing: without === 'key' ? broken : sealing,
      registries: () => registries,
    });
    assert.equal(shown(await secrets.find(homeRegistry, arn.slice(0, cut))), found);
    assert.equal(shown(await secrets.find('000000000000/eu-west-1', arn)), 'notFound');
  });
