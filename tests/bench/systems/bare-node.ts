import { fileURLToPath } from 'node:url';
import type { BareAnswer } from '../bare-node-server.ts';
import { accept } from '../client-accept.ts';
import type { Processes } from '../processes.ts';
import type { System } from './system.ts';

const program = fileURLToPath(new URL('../bare-node-server.ts', import.meta.url));
/** Node's own, which it adds here as well. */
const added: ReadonlySet<string> = new Set(['date', 'connection', 'keep-alive']);

/** Node's `http` alone, with the headers and bytes that `original` answers for `path`. */
export async function startBareNode(
  processes: Processes,
  original: System,
  path: string,
): Promise<System> {
  const { host, port } = original;
  const response = await fetch(`http://${host}:${port}${path}`, { headers: { accept } });
  const body = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(`${original.name}: ${path} answered ${response.status}`);
  const answer: BareAnswer = {
    headers: [...response.headers].filter(([name]) => !added.has(name)).flat(),
    bodyBase64: body.toString('base64'),
  };
  const child = processes.spawn({
    name: 'bare Node http',
    role: 'server',
    command: process.execPath,
    arguments: [program, JSON.stringify(answer)],
    capture: true,
  });
  return {
    name: 'bare Node http',
    pid: child.pid,
    host: '127.0.0.1',
    port: Number(await child.firstLine(10_000)),
    tls: false,
    path: (repository, rest) => original.path(repository, rest),
    stop: () => child.stop(),
  };
}
