import { createLocalInvalidations } from '../../../src/coordination/local-invalidations.ts';
import type { Invalidations } from '../../../src/ports/invalidations.ts';

/** Those of one process; what a subscriber throws fails the test that notes. */
export function createTestInvalidations(): Invalidations {
  return createLocalInvalidations((error) => {
    throw error;
  });
}
