import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { edgeInputs } from '../../../tests/support/samples/aws-inputs.ts';
import { beginnings, textOf } from '../../../tests/support/samples/aws-texts.ts';
import { model as ecr } from '../ecr/model.ts';
import { model as iam } from '../iam/model.ts';
import { model as secrets } from '../secrets/model.ts';
import { model as sts } from '../sts/model.ts';
import { InputRefused, readInput } from './input.ts';
import type { InputProblem } from './input.ts';
import type { ServiceModel } from './service-model.ts';

const uuid = '01234567-89ab-cdef-0123-456789abcdef';

function problemOf(model: ServiceModel, shape: string, input: unknown): InputProblem | undefined {
  try {
    readInput(model, shape, input);
    return undefined;
  } catch (error) {
    if (error instanceof InputRefused) return error.problem;
    throw error;
  }
}

function told(problem: InputProblem | undefined): object | undefined {
  if (problem === undefined) return undefined;
  const { why, path } = problem;
  return why === 'constraint' ? { why, path, limit: problem.limit } : { why, path };
}

for (const [service, model] of Object.entries({ ecr, secrets, sts, iam }))
  suite(`inputs of ${service}`, () => {
    for (const [operation, { input: shape }] of Object.entries(model.operations)) {
      if (shape === undefined) continue;
      test(`${operation} takes every member within its limits, and names the one that is beyond`, () => {
        const edges = edgeInputs(model, shape, textOf);
        for (const { name, input, refused } of edges)
          assert.deepEqual(told(problemOf(model, shape, input)), refused, name);
      });
    }
  });

suite('what is read', () => {
  test('members that are not known, null, and those of the prototype are left out', () => {
    const text =
      '{"repositoryName":"ab","tags":null,"__proto__":{"x":1},"constructor":1,"other":{}}';
    const read = readInput(ecr, 'CreateRepositoryRequest', JSON.parse(text)) as object;
    assert.deepEqual(Object.entries(read), [['repositoryName', 'ab']]);
    assert.equal(Object.getPrototypeOf(read), Object.prototype);
  });

  test('bytes are decoded', () => {
    const input = {
      repositoryName: 'ab',
      uploadId: uuid,
      partFirstByte: 0,
      partLastByte: 2,
      layerPartBlob: 'AAEC',
    };
    const { layerPartBlob } = readInput(ecr, 'UploadLayerPartRequest', input) as {
      layerPartBlob: Uint8Array;
    };
    assert.deepEqual([...layerPartBlob], [0, 1, 2]);
  });

  test('the value of a secret is in no problem', () => {
    const SecretString = 's3cret'.repeat(20_000);
    const problem = problemOf(secrets, 'CreateSecretRequest', { Name: 'n', SecretString });
    assert.ok(!JSON.stringify(problem).includes('s3cret'));
  });

  test('no pattern takes more than linear time over a text that nearly matches', () => {
    const started = performance.now();
    for (const model of [ecr, secrets, sts, iam])
      for (const [name, shape] of Object.entries(model.shapes)) {
        if (shape.type !== 'string' || shape.pattern === undefined) continue;
        for (const piece of ['a', 'a-', 'a/', '*', 'a.', '/', 'arn:', '0'])
          for (const begin of ['', beginnings[name] ?? ''])
            problemOf(
              model,
              name,
              `${begin}${piece.repeat(4096)}`.slice(0, (shape.max ?? 4096) - 1) + '\u0007',
            );
      }
    assert.ok(performance.now() - started < 5000, `${performance.now() - started} ms`);
  });
});
