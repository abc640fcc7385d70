import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { openKeyStore } from '../../src/access/secrets/key-store.ts';
import { createLocalLeases } from '../../src/coordination/local-leases.ts';
import { openSqliteMetadata } from '../../src/metadata/engine/sqlite.ts';
import { createKeyRotation } from '../../src/operations/keys/key-rotation.ts';
import { createFakeClock } from '../support/rigs/fake-clock.ts';

/** Rotates the keys of a data folder, and kills itself after a call of the database or of the key files. */
const [dataDir = '', call = ''] = process.argv.slice(2);
const killedAt = Number(call);
let calls = 0;

function deadly<T extends object>(target: T): T {
  return new Proxy(target, {
    get: (of, name) => {
      const value: unknown = Reflect.get(of, name, of);
      if (typeof value !== 'function') return value;
      if (name === 'seal' || name === 'open') return value.bind(of) as unknown;
      return async (...input: unknown[]): Promise<unknown> => {
        calls += 1;
        const isLast = calls === killedAt;
        const answer: unknown = await Reflect.apply(value, of, input);
        if (isLast) process.kill(process.pid, 'SIGKILL');
        return answer;
      };
    },
  });
}

// Each start is later than the one before, as keys are told apart by when they were made.
const clock = createFakeClock(Date.now());
await using metadata = await openSqliteMetadata(join(dataDir, 'metadata.sqlite'));
await using rotation = createKeyRotation({
  keys: deadly(await openKeyStore(dataDir, clock)),
  metadata: { sealed: deadly(metadata.sealed) },
  invalidations: { note: () => {} },
  leases: createLocalLeases(createFakeClock()),
  clock,
  note: () => {},
  failed: (_message, about) => console.error(about),
});
const state = rotation.start();
while (state.endedAt === undefined) {
  await turn();
  if (clock.pending > 0) clock.advance(500);
}
process.stdout.write(`${JSON.stringify(state)}\n`);
