import type { LabelChange } from '../../domain/names/label.ts';
import type {
  AccessKeyRow,
  AccountRow,
  PrincipalRow,
  TokenRow,
} from '../../metadata/contract/rows.ts';
import type { PrincipalKey } from '../../domain/policy/principal.ts';
import type { Asker, Scope } from '../access.ts';

/** A key as it is shown, once. */
export interface NewAccessKey {
  readonly key: AccessKey;
  readonly secret: string;
}

export interface RotatedAccessKey extends NewAccessKey {
  /** Ids of keys that are refused from now on. */
  readonly revoked: readonly string[];
  /** Ids of its owner's other keys, which are still good. */
  readonly kept: readonly string[];
  /** The server's file that holds the new pair; absent: none does. */
  readonly file?: string;
}

/** Without its sealed secret. */
export type AccessKey = Omit<AccessKeyRow, 'sealedSecret'>;

/** A token as it is shown, once: `bw_<id>_<secret>`. */
export interface NewToken {
  readonly token: Token;
  readonly secret: string;
}

/** Without its hash. */
export type Token = Omit<TokenRow, 'hash' | 'scopes'> & { readonly scopes: readonly Scope[] };

/**
 * Accounts, users, robots, keys and tokens; whether the `author` of a change may is decided before. Changes are answered after their commit, recorded in the audit, and hold for the next
 * request. `undefined` and false: what it is about is not there. Throws `requestInvalid` for bad names and bounds,
 * `conflict` for what is there already and for a third key.
 */
export interface Identities {
  listAccounts(): Promise<readonly AccountRow[]>;
  /** With the first key of its root. */
  createAccount(
    input: { readonly id: string; readonly name: string },
    author: Asker,
  ): Promise<{ readonly account: AccountRow; readonly key: NewAccessKey }>;

  listPrincipals(account: string): Promise<readonly PrincipalRow[]>;
  findPrincipal(account: string, name: string): Promise<PrincipalRow | undefined>;
  /** `undefined`: no such account. */
  createPrincipal(
    input: Pick<PrincipalRow, 'account' | 'name' | 'kind' | 'tags'>,
    author: Asker,
  ): Promise<PrincipalRow | undefined>;
  /** Puts tags, or replaces those of the same keys, once those of `remove` are gone. False: no such principal. */
  changeTags(
    input: Pick<PrincipalRow, 'account' | 'name'> & LabelChange,
    author: Asker,
  ): Promise<boolean>;
  /** With its keys, tokens and policies, and all that was made with them; `unlessInUse`: `conflict` where it has any. */
  deletePrincipal(
    input: { readonly account: string; readonly name: string; readonly unlessInUse?: boolean },
    author: Asker,
  ): Promise<boolean>;

  listAccessKeys(owner: PrincipalKey): Promise<readonly AccessKey[]>;
  /** Without `lifetimeMs` the key has no end. */
  createAccessKey(
    input: PrincipalKey & { readonly lifetimeMs?: number | undefined },
    author: Asker,
  ): Promise<NewAccessKey | undefined>;
  /**
   * A new key beside the old one, or with `revoke` in the place of all that the owner has. The home account's root gets another
   * pair in `dataDir/credentials`, whose old one is refused at once; `revoke` takes its other keys too. That pair can have no end: `requestInvalid`.
   */
  rotateAccessKey(
    input: PrincipalKey & { readonly revoke: boolean; readonly lifetimeMs?: number | undefined },
    author: Asker,
  ): Promise<RotatedAccessKey | undefined>;
  /** Whatever principal has it; the key of `dataDir/credentials` is none of these. */
  findAccessKey(id: string): Promise<AccessKey | undefined>;
  /** An inactive key is refused as an unknown one is. False too where the key is another principal's. */
  setAccessKeyActive(
    input: PrincipalKey & { readonly id: string; readonly active: boolean },
    author: Asker,
  ): Promise<boolean>;
  /** False too where the key is another principal's. */
  deleteAccessKey(input: PrincipalKey & { readonly id: string }, author: Asker): Promise<boolean>;

  listTokens(owner: PrincipalKey): Promise<readonly Token[]>;
  /** `scopes` as `repository:<pattern>:<rights>`; none: all that the principal may. */
  createToken(
    input: PrincipalKey & {
      readonly tokenName: string;
      readonly scopes: readonly string[];
      /** Absent: `tokenLifetime.defaultMs`. */
      readonly lifetimeMs?: number | undefined;
    },
    author: Asker,
  ): Promise<NewToken | undefined>;
  deleteToken(
    input: PrincipalKey & { readonly tokenName: string },
    author: Asker,
  ): Promise<boolean>;
}

/** How long a token may live, and a key that has an end. */
export const tokenLifetime: {
  readonly leastMs: number;
  readonly defaultMs: number;
  readonly mostMs: number;
} = { leastMs: 60_000, defaultMs: 90 * 86_400_000, mostMs: 366 * 86_400_000 };
