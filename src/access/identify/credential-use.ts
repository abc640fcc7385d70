import { createBatchWriter } from '../../coordination/batch-writer.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { UsedCredential } from './checked-credentials.ts';

/** Remembers when keys and tokens were last used, and writes it in batches; what it can't write is forgotten. */
export interface CredentialUse extends AsyncDisposable {
  touch(used: UsedCredential): void;
}

const flushAfterMs = 10_000;
/** Beyond it a batch is written early. */
const batchMax = 1000;

export function createCredentialUse(
  metadata: Pick<Metadata, 'identities'>,
  clock: Clock,
): CredentialUse {
  let keys = new Map<string, number>();
  let tokens = new Map<string, number>();

  const batchOf = (times: ReadonlyMap<string, number>): { id: string; at: number }[] =>
    [...times].map(([id, at]) => ({ id, at }));
  const write = async (): Promise<void> => {
    const batch = { keys: batchOf(keys), tokens: batchOf(tokens) };
    keys = new Map();
    tokens = new Map();
    try {
      await metadata.identities.touchCredentials(batch);
    } catch {
      // It is a convenience: a disk that is full must not tell a login from a failed one.
    }
  };
  const writer = createBatchWriter({
    clock,
    afterMs: flushAfterMs,
    retryMs: flushAfterMs,
    fullRows: batchMax,
    rows: () => keys.size + tokens.size,
    write,
  });
  return {
    touch: ({ kind, id }) => {
      (kind === 'key' ? keys : tokens).set(id, clock.now());
      writer.added();
    },
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}
