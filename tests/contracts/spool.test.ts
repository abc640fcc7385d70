import { spoolContract } from './spool-contract.ts';
import { storages } from '../support/rigs/storages.ts';

for (const [name, make] of storages) spoolContract(`spool ${name}`, make);
