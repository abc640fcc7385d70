import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { administratorKeys } from '../administrator.ts';
import { signEcrCall } from '../aws-call.ts';
import { alternate } from '../figure.ts';
import type { Bench, Figure, Row } from '../figure.ts';
import type { KeyPair } from '../administrator.ts';
import { cpuSeconds } from '../processes.ts';
import type { System } from '../systems/system.ts';

const connections = 32;

/** Requests a second, all signed, on one core; each signature is verified anew. */
export const signedCalls: Figure = {
  name: 'signed-calls',
  async measure(bench) {
    if (spawnSync('wrk', ['--version']).error !== undefined)
      throw new Error('wrk is not installed');
    const folder = bench.folder('signed');
    const system = await bench.startBreakwater('signed');
    const keys = administratorKeys(folder);
    let cost = Number.NaN;
    const ask = async (durationMs: number): Promise<number> => {
      const before = cpuSeconds(system.pid);
      const rate = await callsPerSecond(bench, system, keys, folder, durationMs);
      cost = (cpuSeconds(system.pid) - before) / (rate * (durationMs / 1000));
      return rate;
    };
    await ask(1000);
    const readings = await alternate(bench.runs, [
      { name: 'breakwater', measure: () => ask(bench.quick ? 1000 : 3000) },
    ]);
    await system.stop();
    const row: Row = {
      title: 'DescribePullThroughCacheRules, signed',
      unit: 'requests/s',
      readings,
      ratios: [{ what: 'breakwater', value: readings[0]?.median ?? NaN, goal: { atLeast: 3000 } }],
      notes: [
        `${connections} connections, SigV4, one rule`,
        `server CPU: ${(cost * 1e6).toFixed(0)} µs a request`,
      ],
    };
    return [row];
  },
};

async function callsPerSecond(
  bench: Bench,
  system: System,
  keys: KeyPair,
  folder: string,
  durationMs: number,
): Promise<number> {
  const call = await signEcrCall(system, keys, 'DescribePullThroughCacheRules', {});
  const script = join(folder, 'call.lua');
  const headers = Object.entries(call.headers).filter(([name]) => name !== 'host');
  writeFileSync(
    script,
    [
      'wrk.method = "POST"',
      `wrk.body = ${JSON.stringify(call.body)}`,
      ...headers.map(
        ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
      ),
    ].join('\n'),
  );
  const seconds = Math.max(1, Math.round(durationMs / 1000));
  const child = bench.processes.spawn({
    name: 'wrk',
    role: 'load',
    command: 'wrk',
    arguments: [
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      '-s',
      script,
      `http://${system.host}:${system.port}/`,
    ],
    capture: true,
  });
  const text = await child.output(durationMs + 20_000);
  const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: .*/.exec(text);
  if (failed !== null) throw new Error(`wrk: ${failed[0]}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
}
