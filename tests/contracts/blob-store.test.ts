import { blobStoreContract } from './blob-store-contract.ts';
import { storages } from '../support/rigs/storages.ts';

for (const [name, make] of storages) blobStoreContract(`blobs ${name}`, make);
