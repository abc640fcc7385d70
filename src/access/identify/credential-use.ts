import type { AccessMetadata } from '../../metadata/contract/access-metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { UsedCredential } from './credential-checks.ts';

/** Remembers when keys and tokens were last used, and writes it in batches; what it can't write is forgotten. */
export interface CredentialUse extends AsyncDisposable {
  touch(used: UsedCredential): void;
}

const flushAfterMs = 10_000;
/** Beyond it a batch is written early. */
const batchMax = 1000;

export function createCredentialUse(
  metadata: Pick<AccessMetadata, 'touchCredentials'>,
  clock: Clock,
): CredentialUse {
  let keys = new Map<string, number>();
  let tokens = new Map<string, number>();
  let timer: Disposable | undefined;
  let writing: Promise<void> | undefined;

  const batchOf = (times: ReadonlyMap<string, number>): { id: string; at: number }[] =>
    [...times].map(([id, at]) => ({ id, at }));
  const write = async (): Promise<void> => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    const batch = { keys: batchOf(keys), tokens: batchOf(tokens) };
    keys = new Map();
    tokens = new Map();
    if (batch.keys.length + batch.tokens.length === 0) return;
    try {
      await metadata.touchCredentials(batch);
    } catch {
      // It is a convenience: a disk that is full must not tell a login from a failed one.
    }
  };
  const start = (): void => {
    writing ??= write().finally(() => {
      writing = undefined;
      if (keys.size + tokens.size > 0) timer ??= clock.after(flushAfterMs, start);
    });
  };

  return {
    touch: ({ kind, id }) => {
      (kind === 'key' ? keys : tokens).set(id, clock.now());
      if (keys.size + tokens.size >= batchMax) start();
      else timer ??= clock.after(flushAfterMs, start);
    },
    [Symbol.asyncDispose]: async () => {
      await writing;
      await write();
    },
  };
}
