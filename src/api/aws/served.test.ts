import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { ecrService } from '../ecr/ecr.ts';
import type { EcrParts } from '../ecr/parts.ts';
import { iamService } from '../iam/iam.ts';
import type { IamParts } from '../iam/parts.ts';
import type { SecretsServiceParts } from '../secrets/parts.ts';
import { secretsService } from '../secrets/secrets.ts';
import { stsService } from '../sts/sts.ts';
import type { StsParts } from '../sts/sts.ts';

const page = new URL('../../../docs/ecr.md', import.meta.url);
const begin = '<!-- operations: UPDATE_GOLDEN=1 npm test -- aws/served -->\n';
const end = '<!-- /operations -->';

/** Rows hold what they will ask; nothing is asked of it here. */
const services = [
  ecrService({} as EcrParts),
  secretsService({} as SecretsServiceParts),
  stsService({} as StsParts),
  iamService({} as IamParts),
];

test('docs/ecr.md lists the operations that are served.', () => {
  const lines = services.flatMap(({ name, rows }) =>
    [...rows.keys()]
      .toSorted((one, other) => (one < other ? -1 : 1))
      .map((operation) => `| ${name} | \`${operation}\` |\n`),
  );
  const table = `| service | operation |\n|---|---|\n${lines.join('')}`;
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  assert.ok(from >= begin.length && to >= from, 'docs/ecr.md has no place for the operations');
  if (process.env['UPDATE_GOLDEN'] === '1')
    return writeFileSync(page, text.slice(0, from) + table + text.slice(to));
  assert.equal(text.slice(from, to), table);
});

for (const { name, rows, model } of services)
  test(`each row of ${name} is an operation of its model.`, async () => {
    const { operations } = await model();
    assert.deepEqual(
      [...rows.keys()].filter((row) => operations[row] === undefined),
      [],
    );
  });
