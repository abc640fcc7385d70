import { uploadContract } from './upload-contract.ts';
import { storages } from '../support/storages.ts';

for (const [name, make] of storages) uploadContract(`uploads ${name}`, make);
