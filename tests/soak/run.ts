import { parseArgs } from 'node:util';
import { runKillLoop } from './kill-loop.ts';

const usage = `npm run soak -- [--iterations N] [--seed N]

Kills Breakwater at random moments during pulls and compares everything it serves afterwards. Exit code 1 where a byte was wrong or lost.
  --iterations N   1000 unless given
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
    iterations: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(usage);
else {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(130));
  const iterations = wholeNumber('iterations', values.iterations);
  const seed = wholeNumber('seed', values.seed);
  const begun = performance.now();
  const log = (line: string): void => void process.stdout.write(`soak: ${line}\n`);
  log(`${iterations} kills, seed ${seed}`);
  const result = await runKillLoop({ iterations, seed, log });
  log(JSON.stringify({ ...result, seconds: Math.round((performance.now() - begun) / 1000) }));
  process.exitCode = result.wrong + result.lost + result.stuck === 0 ? 0 : 1;
}
