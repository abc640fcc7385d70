import type { RegistryKey } from '../../domain/names/registry.ts';
import type { Pruning } from '../rows/oldest-rows.ts';

export interface AccountRow {
  /** Twelve digits. */
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
}

export interface PrincipalRow {
  readonly account: string;
  readonly name: string;
  readonly kind: 'user' | 'robot';
  readonly createdAt: number;
}

export interface PrincipalInput extends PrincipalRow {
  /** True: the account must have a row. The home account has none. */
  readonly requireAccount?: boolean;
}

/** An access key. `name` absent: the account's root. */
export interface AccessKeyRow {
  readonly id: string;
  readonly account: string;
  readonly name: string | undefined;
  /** The secret, encrypted: only `access/` opens it. */
  readonly sealedSecret: string;
  readonly active: boolean;
  readonly createdAt: number;
  /** Wall time, ms; absent: it has no end. */
  readonly expiresAt: number | undefined;
  readonly lastUsedAt: number | undefined;
}

export interface TokenRow {
  /** A part of the token itself, by which it is found. */
  readonly id: string;
  readonly account: string;
  /** The principal's; absent: the account's root. */
  readonly principal: string | undefined;
  /** As its owner called it; unique for the principal. */
  readonly name: string;
  /** SHA-256 of the token, hex. */
  readonly hash: string;
  /** As `repository:<pattern>:<rights>`; empty: no limit beyond the principal's. */
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly lastUsedAt: number | undefined;
}

export interface IdentityPolicyRow {
  readonly account: string;
  readonly principal: string;
  readonly name: string;
  /** Verbatim. */
  readonly text: string;
  readonly updatedAt: number;
}

export interface AuditRow {
  /** Grows with each row. */
  readonly id: number;
  readonly at: number;
  readonly kind: string;
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly registry: RegistryKey;
  readonly outcome: string;
  readonly address: string;
  readonly requestId: string;
  /** JSON. */
  readonly detail: string;
  /** How many such, the last of them `at`. */
  readonly count: number;
}

export interface AuditPruning extends Pruning {
  /** `denial`: of those who are known. */
  readonly kind: 'anonymousDenial' | 'denial' | 'login' | 'change';
}

/** Accounts, principals, keys, tokens, policies and the audit. Writes are answered after their commit. */
export interface AccessMetadata {
  listAccounts(): Promise<readonly AccountRow[]>;
  findAccount(id: string): Promise<AccountRow | undefined>;
  listPrincipals(account: string): Promise<readonly PrincipalRow[]>;
  findPrincipal(account: string, name: string): Promise<PrincipalRow | undefined>;
  findAccessKey(id: string): Promise<AccessKeyRow | undefined>;
  /** `name` undefined: the root's. */
  listAccessKeys(account: string, name: string | undefined): Promise<readonly AccessKeyRow[]>;
  findToken(id: string): Promise<TokenRow | undefined>;
  listTokens(account: string, principal: string | undefined): Promise<readonly TokenRow[]>;
  listIdentityPolicies(account: string, principal: string): Promise<readonly IdentityPolicyRow[]>;
  findRegistryPolicy(registry: RegistryKey): Promise<string | undefined>;
  /** Newest first; of the registries of one account, and those with an id below `before`, where they are given. */
  listAudit(options: {
    readonly account: string | undefined;
    readonly before: number | undefined;
    readonly limit: number;
  }): Promise<readonly AuditRow[]>;

  /** False where the id is taken. That it is not the home account's is the caller's to see. */
  createAccount(input: AccountRow): Promise<boolean>;
  /** `noAccount` where a row is required and missing. */
  createPrincipal(input: PrincipalInput): Promise<'created' | 'exists' | 'noAccount'>;
  /** With its keys, tokens and policies. False where there is none. */
  deletePrincipal(input: { readonly account: string; readonly name: string }): Promise<boolean>;
  /** At most two keys a principal, as IAM. */
  createAccessKey(input: AccessKeyRow): Promise<'created' | 'limit' | 'noPrincipal'>;
  deleteAccessKey(input: { readonly id: string }): Promise<boolean>;
  createToken(input: TokenRow): Promise<'created' | 'exists' | 'noPrincipal'>;
  /** By its name. False where there is none. */
  deleteToken(input: {
    readonly account: string;
    readonly principal: string | undefined;
    readonly name: string;
  }): Promise<boolean>;
  /** Puts or replaces. How many a principal may have is the caller's to see. */
  putIdentityPolicy(input: IdentityPolicyRow): Promise<'stored' | 'noPrincipal'>;
  deleteIdentityPolicy(input: {
    readonly account: string;
    readonly principal: string;
    readonly name: string;
  }): Promise<boolean>;
  /** `text` undefined: none any more. */
  setRegistryPolicy(input: {
    readonly registry: RegistryKey;
    readonly text: string | undefined;
    readonly now: number;
  }): Promise<void>;
  /** Batched by the caller; at most some may be lost, 10 s' worth. */
  touchCredentials(input: {
    readonly keys: readonly { readonly id: string; readonly at: number }[];
    readonly tokens: readonly { readonly id: string; readonly at: number }[];
  }): Promise<void>;
  appendAudit(rows: readonly Omit<AuditRow, 'id'>[]): Promise<void>;
  pruneAudit(input: AuditPruning): Promise<void>;
}
