import { createLocalLeases } from '../../src/coordination/local-leases.ts';
import { createFakeClock } from '../support/rigs/fake-clock.ts';
import { leasesContract, turnedByHand } from './leases-contract.ts';

leasesContract('leases within a process', async () => {
  const clock = createFakeClock();
  return turnedByHand(clock, createLocalLeases(clock));
});
