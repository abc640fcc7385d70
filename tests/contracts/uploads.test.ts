import { uploadContract } from './upload-contract.ts';
import { storages } from '../support/rigs/storages.ts';

for (const [name, make] of storages) uploadContract(`uploads ${name}`, make);
