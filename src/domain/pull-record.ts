import type { Digest } from './names/digest.ts';
import type { RegistryKey } from './names/registry.ts';
import type { Verdict } from './verdict.ts';

/** One pull of an image by a client, to be counted in its hour. */
export interface PullRecord {
  readonly registry: RegistryKey;
  readonly clientAddress: string;
  /** The `ns` of a mirror request, else empty. */
  readonly ns: string;
  /** The local repository with `:tag` or `@digest`. */
  readonly image: string;
  readonly digest: Digest | undefined;
  readonly verdict: Verdict;
  /** Who pulled, as the audit has it; absent: nobody in particular. */
  readonly principal?: string | undefined;
  readonly at: number;
  /** How many such pulls this stands for, the last of them `at`; 1 where absent. All within one hour. */
  readonly count?: number;
}
