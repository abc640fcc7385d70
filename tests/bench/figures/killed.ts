import { runKillLoop } from '../../soak/kill-loop.ts';
import { reading } from '../figure.ts';
import type { Figure, Row } from '../figure.ts';

/** A taste of what `npm run soak` does a thousand times. */
export const killed: Figure = {
  name: 'killed',
  async measure(bench) {
    const iterations = bench.quick ? 5 : 20;
    const log = (line: string): void => bench.say(line);
    const result = await runKillLoop({ iterations, seed: Date.now() % 2 ** 31, log });
    const bad = result.wrong + result.lost + result.stuck;
    const row: Row = {
      title: `kill -9 at a random moment during pulls, ${iterations} times`,
      unit: 'wrong or lost',
      readings: [reading('breakwater', [bad])],
      ratios: [{ what: 'breakwater', value: bad, goal: { atMost: 0 } }],
      notes: [
        `${result.verified} answers verified, ${result.interrupted} interrupted, seed ${result.seed}; npm run soak does 1,000`,
      ],
    };
    return [row];
  },
};
