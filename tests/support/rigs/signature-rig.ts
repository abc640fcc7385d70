import type { RequestFrom, Signatures } from '../../../src/access/access.ts';
import type { KeyPair } from '../../../src/access/secrets/credentials.ts';
import { createSignatures } from '../../../src/access/signatures/signatures.ts';
import { createFakeClock } from './fake-clock.ts';
import { createTestInvalidations } from './invalidations.ts';

export const someClient: RequestFrom = {
  address: '192.0.2.1',
  secure: true,
  isLoopback: false,
  userAgent: undefined,
  requestId: 'r-1',
};

/** Where one pair is known and nobody waits. `now`: wall time, ms, at which the clock stands still. */
export function signaturesOf(pair: KeyPair, now: number): Signatures {
  return createSignatures({
    metadata: { identities: { findAccessKey: async () => undefined } as never, roles: {} as never },
    keys: {} as never,
    homeAccount: '000000000000',
    administrator: () => pair,
    clock: createFakeClock(now),
    failures: { waitMs: () => 0, right: () => {}, record: () => new Error('refused') as never },
    use: { touch: () => {}, [Symbol.asyncDispose]: async () => {} },
    invalidations: createTestInvalidations(),
  });
}
