import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { tellClockSteps } from './clock-steps.ts';

const hourMs = 3_600_000;

const rows: readonly (readonly [what: string, stepMs: number, told: readonly unknown[]])[] = [
  ['is not set: nothing', 0, []],
  ['is slewed: nothing', -4000, []],
  ['is set back: a warning', -hourMs, [['warn', 3600]]],
  ['is set forward: a line', 2 * hourMs, [['info', 7200]]],
];
for (const [what, stepMs, told] of rows)
  test(`the log is told once when the clock ${what}`, () => {
    const clock = createFakeClock();
    const lines: unknown[] = [];
    const tell =
      (level: string) =>
      (_message: string, fields?: Readonly<Record<string, unknown>>): void =>
        void lines.push([level, fields?.['seconds']]);
    {
      using _steps = tellClockSteps(clock, { info: tell('info'), warn: tell('warn') });
      clock.advance(90_000);
      clock.setNow(clock.now() + stepMs);
      clock.advance(10 * 60_000);
      deepEqual(lines, told);
    }
    equal(clock.pending, 0);
  });
