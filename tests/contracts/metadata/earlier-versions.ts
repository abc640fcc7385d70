import type { Kysely } from 'kysely';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import { checkFirstContent, makeFirstDatabase } from './first-version.ts';
import { checkThirdContent, makeThirdDatabase } from './third-version.ts';

/** Databases as earlier versions left them, and what must be in them after they were opened. */
export const earlierVersions: readonly {
  readonly what: string;
  readonly make: (database: Kysely<unknown>, dialect: 'sqlite' | 'postgres') => Promise<void>;
  readonly check: (metadata: Metadata) => Promise<void>;
}[] = [
  {
    what: 'the first version is brought up to date, and what it holds was cached',
    make: makeFirstDatabase,
    check: checkFirstContent,
  },
  {
    what: 'version 3 keeps every push, and no proof that hung on a prefix or a HEAD',
    make: makeThirdDatabase,
    check: checkThirdContent,
  },
];
