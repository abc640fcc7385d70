// Pushes in every state and order, held against a model: what is answered, and what is there afterwards.
import { ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { freshRepository, clientOfFile } from '../support/clients/registry-client.ts';
import { modelLimits } from '../support/models/model-limits.ts';
import { createPushModel } from '../support/models/push-model.ts';
import type { PushModel, UploadState } from '../support/models/push-model.ts';
import { anyStep, everyStep } from '../support/models/push-model-steps.ts';
import type { PushStep } from '../support/models/push-model-steps.ts';

const client = await clientOfFile();

const limits = modelLimits(3);

function modelOf(repository = freshRepository(), client_ = 0, shared = false): PushModel {
  const prefix = `c${String(client_)}-`;
  return createPushModel({ client, repository, salt: client_ * 8, prefix, shared });
}

const upload = { upload: 0, length: 300, place: 'right', streamed: false } as const;
const closing = { ...upload, kind: 'finish', algorithm: 'sha256', digest: 'right' } as const;
const begin = { kind: 'begin', salt: 0 } as const;
const some = { ...upload, kind: 'append' } as const;
const image = {
  kind: 'putImage',
  config: 0,
  layer: 0,
  tag: 0,
  by: 'tag',
  wrongSize: false,
} as const;

/** What comes before; the upload with number 0 is then in this state. */
const states: readonly (readonly [
  name: string,
  before: readonly PushStep[],
  state: UploadState,
])[] = [
  ['that never was', [], 'unknown'],
  ['just begun', [begin], 'open'],
  ['with some bytes', [begin, some], 'open'],
  [
    'whose client left in the middle of a chunk',
    [begin, some, { kind: 'leave', upload: 0, length: 50, streamed: false }],
    'open',
  ],
  ['finished', [begin, some, closing], 'finished'],
  ['finished and named by a manifest', [begin, some, closing, image], 'finished'],
  [
    'finished, its blob deleted',
    [begin, some, closing, image, { kind: 'blob', method: 'DELETE', blob: 0 }],
    'finished',
  ],
  ['of a wrong digest', [begin, some, { ...closing, digest: 'wrong' }], 'refused'],
  ['cancelled', [begin, some, { kind: 'cancel', upload: 0 }], 'cancelled'],
];

for (const [name, steps, state] of states) {
  suite(`an upload ${name}`, () => {
    for (const [request, step] of everyStep(0)) {
      test(`${request}, twice, is answered as it should be, and changes what it should`, async () => {
        const model = modelOf();
        for (const each of steps) await model.run(each);
        ok(model.stateOf(0) === state);
        await model.run(step);
        await model.run(step);
        await model.audit();
      });
    }
  });
}

suite(`pushes in any order (BREAKWATER_MODEL_SEED=${String(limits.seed)})`, () => {
  test('by one client', async () => {
    const steps = fc.array(anyStep, { minLength: 1, maxLength: 60, size: 'max' });
    const property = fc.asyncProperty(steps, async (drawn) => {
      const model = modelOf();
      for (const step of drawn) await model.run(step);
      await model.audit();
    });
    await fc.assert(property, limits);
  });

  test('by three clients at once, to one repository', async () => {
    const steps = fc.array(anyStep, { minLength: 1, maxLength: 40, size: 'max' });
    const property = fc.asyncProperty(steps, steps, steps, async (...drawn) => {
      const repository = freshRepository();
      await client.pushBlob(repository, 'so that it is there');
      const models = drawn.map((_, index) => modelOf(repository, index, true));
      const runAll = models.map(async (model, index) => {
        for (const step of drawn[index] ?? []) await model.run(step);
      });
      for (const settled of await Promise.allSettled(runAll))
        if (settled.status === 'rejected') throw settled.reason;
      await Promise.all(models.map((model) => model.audit()));
    });
    await fc.assert(property, limits);
  });
});
