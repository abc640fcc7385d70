import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainedTag, explanation } from '../../../tests/support/samples/explanation.ts';
import type { ExplainedCaller, ExplainedTag, Explanation } from '../../contract/explanation.ts';
import { renderExplanation } from './explanation-text.ts';

const tag = { ...explainedTag, freshUntil: '2026-01-02T00:00:00.000Z' };

function textOf(
  change: Partial<ExplainedTag>,
  callers: readonly ExplainedCaller[] = [],
  lastTry: Explanation['lastTry'] = null,
): string {
  const found: Explanation = {
    ...explanation,
    lastTry,
    tag: { ...tag, ...change },
    verdict: { code: 'hit', text: 'served' },
    callers,
  };
  return renderExplanation(found, { wide: false, paint: (_style, text) => text });
}

test('a cached tag is shown with when it was validated and until when it is fresh', () => {
  const text = textOf({});
  assert.match(text, /^from +cached$/m);
  assert.match(
    text,
    /^validated +2026-01-01T00:00:00.000Z, fresh until 2026-01-02T00:00:00.000Z$/m,
  );
});

test('a stale tag is shown with since when', () => {
  assert.match(textOf({ fresh: false }), /, stale since 2026-01-02T00:00:00.000Z$/m);
});

test('its first lines say what callers would get, by the status that their client shows', () => {
  const callers = [
    { as: 'anonymous', from: 'this machine', status: 200, text: 'fetched and kept' },
    { as: 'anonymous', from: 'another machine', status: 401, text: 'not held' },
  ];
  const [, first, second, third = ''] = textOf({}, callers).split('\n');
  assert.equal(
    first?.replaceAll(/ +/g, ' '),
    'pull 200 for anonymous from this machine: fetched and kept',
  );
  assert.equal(
    second?.replaceAll(/ +/g, ' '),
    'pull 401 for anonymous from another machine: not held',
  );
  assert.match(third, /^verdict /);
});

for (const [nextAt, words] of [
  ['2026-01-01T00:00:05.000Z', 'asked again from 2026-01-01T00:00:05.000Z on'],
  [null, 'the next pull asks again'],
] as const)
  test(`the last try is shown with what it met, and ${words}`, () => {
    const text = textOf({}, [], { at: '2026-01-01T00:00:00.000Z', message: 'up/a: 404', nextAt });
    assert.match(text, new RegExp(`^tried +2026-01-01T00:00:00.000Z: up/a: 404; ${words}$`, 'm'));
  });

test('an immutable tag is shown with when it was validated, and that it stays', () => {
  const text = textOf({ immutable: true, freshUntil: null });
  assert.match(text, /^validated +2026-01-01T00:00:00.000Z, immutable$/m);
});

for (const provenance of ['pushed', 'replicated'] as const)
  test(`a ${provenance} tag is shown as that, and never as fresh or validated`, () => {
    const text = textOf({ provenance, freshUntil: null });
    assert.match(text, new RegExp(`^from +${provenance}$`, 'm'));
    assert.doesNotMatch(text, /fresh|validated|null/);
  });
