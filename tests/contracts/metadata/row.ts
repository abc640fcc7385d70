import type { Metadata } from '../../../src/metadata/contract/metadata.ts';

/** One row of the metadata's contract; it runs on a database of its own. */
export interface MetadataRow {
  readonly name: string;
  readonly run: (metadata: Metadata) => Promise<void>;
}
