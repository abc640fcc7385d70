// The generated models of AWS's services are what the generator makes of the published ones.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  botocoreVersion,
  findBotocore,
  generate,
  generatedModels,
} from '../../scripts/aws-models.ts';

const root = new URL('../../', import.meta.url);

for (const model of generatedModels)
  test(`${model.file} is what botocore ${botocoreVersion} says.`, (t) => {
    const data = findBotocore();
    if (data === undefined)
      return t.skip(
        `there is no botocore ${botocoreVersion}: pip install it, or name its data folder in BOTOCORE_DATA`,
      );
    assert.equal(readFileSync(new URL(model.file, root), 'utf8'), generate(model, data));
  });
