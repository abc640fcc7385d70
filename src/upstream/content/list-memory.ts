import { FairMemory } from '../../coordination/fair-memory.ts';
import type { Holding } from '../../coordination/fair-memory.ts';
import { ListsBusy } from '../../domain/lists-busy.ts';
import { failure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';

/** What all lists that are being read have brought: three of the largest; those of one upstream have half of it. */
const maxBytes = 48 * 1024 * 1024;

/** The sources are hosts of upstreams. */
export function createListMemory(clock: Clock): FairMemory {
  return new FairMemory({ maxBytes, now: () => clock.elapsed(), full: () => new ListsBusy() });
}

/** Reads a list within the memory: one that stands still while another needs the room ends as a timeout, one without room as `ListsBusy`. */
export async function readWithin<Value>(
  memory: FairMemory,
  host: string,
  signal: AbortSignal,
  read: (holding: Holding, signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const ended = new AbortController();
  const message = `${host}: a list stood still while others were waiting`;
  using holding = memory.join(host, () =>
    ended.abort(failure(message, 'timeout', 'totalTimeout', host)),
  );
  return await read(holding, AbortSignal.any([signal, ended.signal]));
}
