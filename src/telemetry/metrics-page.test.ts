import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

const page = new URL('../../docs/operations.md', import.meta.url);
const begin = '<!-- metrics: written by metrics-page.test.ts -->\n';
const end = '<!-- end of metrics -->\n';

const { described } = createMetrics({
  version: '',
  commit: '',
  requestsInFlight: () => 0,
  uploadsInFlight: () => 0,
  certificateEnd: () => undefined,
  space: () => Promise.reject(new Error('nobody asks')),
});

test('docs/operations.md lists every metric with its meaning and labels (UPDATE_GOLDEN=1 writes it)', () => {
  const rows = described.map(
    ({ name, type, help, labels }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  const table = ['| metric | type | labels | meaning |', '|---|---|---|---|', ...rows.toSorted()];
  const text = readFileSync(page, 'utf8');
  const from = text.indexOf(begin) + begin.length;
  const wanted = `${text.slice(0, from)}\n${table.join('\n')}\n\n${text.slice(text.indexOf(end))}`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(page, wanted);
  equal(readFileSync(page, 'utf8'), wanted, 'UPDATE_GOLDEN=1 writes it anew');
});

test('docs/operations.md asks for no metric that is not there', () => {
  const text = readFileSync(page, 'utf8');
  const there = new Set(described.map(({ name }) => name));
  const asked = Array.from(text.matchAll(/\bbreakwater_\w+/g), ([name]) => name);
  deepEqual(
    asked.filter((name) => !there.has(name)),
    [],
  );
});

test('docs/operations.md says what each label holds', () => {
  const text = readFileSync(page, 'utf8');
  const labels = new Set(described.flatMap((each) => each.labels));
  deepEqual(
    [...labels].filter((label) => !text.includes(`\n| \`${label}\` | `)),
    [],
  );
});
