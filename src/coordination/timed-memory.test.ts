import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { TimedMemory } from './timed-memory.ts';

const bound = { entriesMax: 100 };

suite('values that are believed for a time', () => {
  test('a value is believed until its time is over, and no longer', () => {
    const clock = createFakeClock();
    const memory = new TimedMemory<string>(clock, bound);
    memory.set('a', 'yes', 1000);
    clock.advance(999);
    deepEqual([memory.get('a'), memory.leftMs('a')], ['yes', 1]);
    clock.advance(1);
    deepEqual([memory.get('a'), memory.leftMs('a')], [undefined, 0]);
  });

  test('a wall clock that is set makes no value older or younger', () => {
    const clock = createFakeClock();
    const memory = new TimedMemory<string>(clock, bound);
    memory.set('a', 'yes', 1000);
    clock.setNow(clock.now() - 86_400_000);
    equal(memory.get('a'), 'yes');
    clock.advance(1000);
    equal(memory.get('a'), undefined);
  });

  test('what is not believed any more is still what was set last', () => {
    const clock = createFakeClock();
    const memory = new TimedMemory<string>(clock, bound);
    memory.set('a', 'yes', 1000);
    clock.advance(5000);
    equal(memory.last('a'), 'yes');
    memory.forget('a');
    equal(memory.last('a'), undefined);
  });

  test('what has expired is not believed, and no other key', () => {
    const memory = new TimedMemory<string>(createFakeClock(), bound);
    for (const key of ['repo list a', 'repo list b', 'repo tags'])
      memory.set(key, key, Number.POSITIVE_INFINITY);
    memory.expire('repo list ');
    deepEqual(
      ['repo list a', 'repo list b', 'repo tags'].map((key) => memory.get(key)),
      [undefined, undefined, 'repo tags'],
    );
    equal(memory.last('repo list b'), 'repo list b');
  });

  test('behaves as a table of values and times does', () => {
    const key = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set'), key, forMs: fc.nat(10) }),
      fc.record({ kind: fc.constant('forget'), key, forMs: fc.constant(0) }),
      fc.record({ kind: fc.constant('advance'), key, forMs: fc.nat(6) }),
      fc.record({ kind: fc.constant('clear'), key, forMs: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const clock = createFakeClock();
        const memory = new TimedMemory<number>(clock, bound);
        const model = new Map<string, { value: number; until: number }>();
        for (const [value, { kind, key: name, forMs }] of steps.entries()) {
          if (kind === 'set') {
            memory.set(name, value, forMs);
            model.set(name, { value, until: clock.elapsed() + forMs });
          } else if (kind === 'forget') {
            memory.forget(name);
            model.delete(name);
          } else if (kind === 'clear') {
            memory.clear();
            model.clear();
          } else clock.advance(forMs);
          for (const each of ['a', 'b', 'c']) {
            const known = model.get(each);
            const left = Math.max(0, (known?.until ?? 0) - clock.elapsed());
            equal(memory.leftMs(each), left);
            equal(memory.get(each), left > 0 ? known?.value : undefined);
            equal(memory.last(each), known?.value);
          }
        }
      }),
    );
  });
});
