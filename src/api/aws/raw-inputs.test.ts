import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { metadataState } from '../../../tests/support/rigs/metadata-state.ts';
import { edgeInputs } from '../../../tests/support/samples/aws-inputs.ts';
import type { EdgeInput } from '../../../tests/support/samples/aws-inputs.ts';
import { textOf } from '../../../tests/support/samples/aws-texts.ts';
import { formOf } from '../../../tests/support/samples/changing-calls.ts';
import type { AwsService } from './service-table.ts';

type Why = NonNullable<EdgeInput['refused']>['why'];

/** By which error, and in which words, each service refuses what does not fit its model. */
const refusals: Readonly<Record<string, Readonly<Record<Why, readonly [string, RegExp]>>>> = {
  ecr: {
    type: ['SerializationException', / (?:found where|cannot be converted to) .*'PATH'$/],
    missing: [
      'InvalidParameterException',
      /^Invalid parameter at 'PATH' failed to satisfy constraint: 'Member must not be null'$/,
    ],
    constraint: [
      'InvalidParameterException',
      /^Invalid parameter at 'PATH' failed to satisfy constraint: '[Mm]/,
    ],
  },
  secretsmanager: {
    type: ['SerializationException', / (?:found where|cannot be converted to) .*'PATH'$/],
    missing: [
      'InvalidParameterException',
      /^1 validation error detected: Value null at 'PATH' failed .*: Member must not be null$/i,
    ],
    constraint: [
      'InvalidParameterException',
      /^1 validation error detected: Value .* at 'PATH' failed to satisfy constraint: Member must /is,
    ],
  },
  query: {
    type: ['MalformedInput', / cannot be converted to .*'PATH'$/],
    missing: [
      'ValidationError',
      /^1 validation error detected: Value null at 'PATH' failed .*: Member must not be null$/i,
    ],
    constraint: [
      'ValidationError',
      /^1 validation error detected: Value .* at 'PATH' failed to satisfy constraint: Member must /is,
    ],
  },
};

function ask(
  aws: AwsRig,
  { name, protocol }: AwsService,
  operation: string,
  input: unknown,
): Promise<AwsAnswer> {
  if (name === 'ecr') return aws.ecr(operation, input);
  if (name === 'secretsmanager') return aws.secrets(operation, input);
  const version = protocol.kind === 'query' ? protocol.version : '';
  return aws.form({ Action: operation, Version: version, ...formOf(input) }, { service: name });
}

function told({ status, json, text }: AwsAnswer): {
  status: number;
  code: string;
  message: string;
} {
  if (json !== undefined)
    return { status, code: json.__type, message: json.message ?? json.Message ?? '' };
  const member = (name: string): string =>
    new RegExp(`<${name}>([^]*?)</${name}>`)
      .exec(text)?.[1]
      ?.replaceAll('&apos;', "'")
      .replaceAll('&quot;', '"')
      .replaceAll(/&#(?:x27|39);/g, "'") ?? '';
  return { status, code: member('Code'), message: member('Message') };
}

/** A form has texts alone: what is another type there is a text that is none. Null, a structure and a list can't be said. */
function isSaid(service: AwsService, { refused, input }: EdgeInput): boolean {
  if (service.protocol.kind === 'json') return true;
  if (JSON.stringify(input).includes(':null')) return false;
  return refused?.why !== 'type';
}

const escaped = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');

suite('an input that is sent raw', () => {
  for (const name of ['ecr', 'secretsmanager', 'sts', 'iam'])
    test(`beyond a limit of ${name} is refused by the error and the words of its service, and changes nothing`, async () => {
      await using aws = await openAws({ configured: [] });
      const service = aws.services.find((each) => each.name === name) ?? assert.fail();
      const model = await service.model();
      const words = refusals[name] ?? refusals['query'];
      const state = metadataState(aws.api.metadataFile);
      let count = 0;
      for (const operation of service.rows.keys()) {
        const shape = model.operations[operation]?.input;
        if (shape === undefined) continue;
        for (const edge of edgeInputs(model, shape, textOf)) {
          const { refused, input } = edge;
          if (refused === undefined || !isSaid(service, edge)) continue;
          count += 1;
          const { status, code, message } = told(await ask(aws, service, operation, input));
          const [wanted = '', form = /./] = words?.[refused.why] ?? [];
          const at = `${operation} ${edge.name}: ${code}: ${message.slice(0, 300)}`;
          assert.deepEqual([status, code], [400, wanted], at);
          const pattern = new RegExp(
            form.source.replace('PATH', escaped(refused.path)),
            `${form.flags.replace('i', '')}i`,
          );
          assert.match(message, pattern, at);
        }
      }
      assert.ok(name === 'sts' || count > 50, `${count} inputs`);
      assert.deepEqual(metadataState(aws.api.metadataFile), state);
      assert.deepEqual(aws.api.failures, []);
    });

  for (const name of ['ecr', 'secretsmanager', 'sts', 'iam'])
    test(`within the limits of ${name} is answered, or refused by an error that clients know`, async () => {
      await using aws = await openAws({ configured: [] });
      const service = aws.services.find((each) => each.name === name) ?? assert.fail();
      const model = await service.model();
      const codes = new Set<string>();
      for (const operation of service.rows.keys()) {
        const shape = model.operations[operation]?.input;
        if (shape === undefined) continue;
        for (const { refused, input, name: edge } of edgeInputs(model, shape, textOf)) {
          if (refused !== undefined) continue;
          const answer = await ask(aws, service, operation, input);
          const { status, code, message } = told(answer);
          const at = `${operation} ${edge}: ${status} ${code}: ${message.slice(0, 300)}`;
          assert.ok(status < 500, at);
          if (status === 200) continue;
          assert.notEqual(code, 'SerializationException', at);
          codes.add(code);
        }
      }
      assert.deepEqual(aws.api.failures, []);
      for (const code of codes) assert.match(code, /^[A-Z]\w+$/);
    });
});
