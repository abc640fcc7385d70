import { parseArgs } from 'node:util';
import { runKillLoop } from './kill-loop.ts';
import { runPushModel } from './push-model.ts';

const usage = `npm run soak -- [--only kills|model] [--iterations N] [--runs N] [--seed N]

Kills Breakwater at random moments during pulls and compares everything it serves afterwards, while an upstream lies and a client
asks for what it may not have; then pushes to it in any order, from several clients, and holds every answer against a model. Exit
code 1 where a byte was wrong, lost or given to the wrong client, or an answer was another.
  --only WHICH     one of the two
  --iterations N   kills, 1000 unless given
  --runs N         of each property of the model, 10000 unless given
  --seed N         of the random choices; printed, another each time unless given
`;

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name}: not a number: ${text}`);
  return value;
}

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    iterations: { type: 'string', default: '1000' },
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    help: { type: 'boolean', default: false },
  },
});
const { only } = values;
if (only !== undefined && only !== 'kills' && only !== 'model')
  throw new Error(`--only: kills or model, not ${only}`);
if (values.help) process.stdout.write(usage);
else {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(130));
  const seed = wholeNumber('seed', values.seed);
  const log = (line: string): void => void process.stdout.write(`soak: ${line}\n`);
  const kills = only === 'model' || (await soakKills(wholeNumber('iterations', values.iterations)));
  const model = only === 'kills' || (await soakModel(wholeNumber('runs', values.runs)));
  process.exitCode = kills && model ? 0 : 1;

  async function soakKills(iterations: number): Promise<boolean> {
    const begun = performance.now();
    log(`${iterations} kills, seed ${seed}`);
    const result = await runKillLoop({ iterations, seed, log });
    log(JSON.stringify({ ...result, seconds: secondsSince(begun) }));
    return result.wrong + result.lost + result.stuck + result.leaked === 0;
  }

  async function soakModel(runs: number): Promise<boolean> {
    const begun = performance.now();
    log(`${runs} runs of each property of the push model, seed ${seed}`);
    const right = await runPushModel({ runs, seed });
    log(
      JSON.stringify({
        model: right ? 'held' : 'broken',
        runs,
        seed,
        seconds: secondsSince(begun),
      }),
    );
    return right;
  }
}

function secondsSince(begun: number): number {
  return Math.round((performance.now() - begun) / 1000);
}
