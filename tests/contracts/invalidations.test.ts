import { createLocalInvalidations } from '../../src/coordination/local-invalidations.ts';
import { invalidationsContract } from './invalidations-contract.ts';

invalidationsContract('invalidations within a process', async () => {
  const failures: unknown[] = [];
  return {
    invalidations: createLocalInvalidations((error) => failures.push(error)),
    failures,
    [Symbol.asyncDispose]: async () => {},
  };
});
