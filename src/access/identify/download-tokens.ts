import type { Caller } from '../access.ts';
import type { CredentialChecksOptions } from './credential-checks.ts';
import { checkOwnToken } from './credential-checks.ts';
import { issueOwnToken } from './registry-tokens.ts';

/** What a download URL holds instead of credentials. It ends with what its caller was verified by, as other tokens do. */
export interface DownloadTokens {
  /** Good for an hour, or until the caller's own credential ends. */
  issue(caller: Caller): Promise<string>;
  /** Whom it was given to; `undefined` once it has ended, or what it was asked with is in force no more. */
  callerOf(token: string): Promise<Caller | undefined>;
}

const lifetimeMs = 3_600_000;

export function createDownloadTokens(
  options: Omit<CredentialChecksOptions, 'oidc'>,
): DownloadTokens {
  return {
    issue: async (caller) => (await issueOwnToken(options, 'download', caller, lifetimeMs)).token,
    callerOf: async (token) => {
      const checked = await checkOwnToken('download', token, options);
      return 'why' in checked ? undefined : checked.caller;
    },
  };
}
