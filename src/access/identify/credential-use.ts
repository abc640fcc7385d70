import { createBatchWriter } from '../../coordination/batch-writer.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { UsedCredential } from './checked-credentials.ts';

/** Remembers when keys, tokens and roles were last used, and writes it in batches; what it can't write is forgotten. */
export interface CredentialUse extends AsyncDisposable {
  touch(used: UsedCredential): void;
}

const flushAfterMs = 10_000;
/** Beyond it a batch is written early. */
const batchMax = 1000;

export function createCredentialUse(
  metadata: Pick<Metadata, 'identities' | 'roles'>,
  clock: Clock,
): CredentialUse {
  const none = () => ({
    key: new Map<string, number>(),
    token: new Map<string, number>(),
    role: new Map<string, number>(),
  });
  let used = none();

  const batchOf = (times: ReadonlyMap<string, number>): { id: string; at: number }[] =>
    [...times].map(([id, at]) => ({ id, at }));
  const write = async (): Promise<void> => {
    const { key, token, role } = used;
    used = none();
    try {
      if (key.size + token.size > 0)
        await metadata.identities.touchCredentials({ keys: batchOf(key), tokens: batchOf(token) });
      if (role.size > 0) await metadata.roles.touchRoles(batchOf(role));
    } catch {
      // It is a convenience: a disk that is full must not tell a login from a failed one.
    }
  };
  const writer = createBatchWriter({
    clock,
    afterMs: flushAfterMs,
    retryMs: flushAfterMs,
    fullRows: batchMax,
    rows: () => used.key.size + used.token.size + used.role.size,
    write,
  });
  return {
    touch: ({ kind, id }) => {
      used[kind].set(id, clock.now());
      writer.added();
    },
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}
