import { findAccessKey, listAccessKeys } from './rows/access-keys.ts';
import type { AccessMetadata } from './contract/access-metadata.ts';
import { findAccount, listAccounts } from './rows/accounts.ts';
import { auditPrunedMax, listAudit } from './rows/audit.ts';
import { findRegistryPolicy, listIdentityPolicies } from './rows/policies.ts';
import { findPrincipal, listPrincipals } from './rows/principals.ts';
import type { Read } from './store.ts';
import { findToken, listTokens } from './rows/tokens.ts';
import type { Write } from './writes.ts';

/** Rows in one transaction; others' writes come between. */
const rowsPerWrite = 512;

export function createAccessSide(read: Read, write: Write): AccessMetadata {
  return {
    listAccounts: () => read('accounts', listAccounts),
    findAccount: (id) => read('an account', (sql) => findAccount(sql, id)),
    listPrincipals: (account) => read('principals', (sql) => listPrincipals(sql, account)),
    findPrincipal: (account, name) =>
      read('a principal', (sql) => findPrincipal(sql, account, name)),
    findAccessKey: (id) => read('an access key', (sql) => findAccessKey(sql, id)),
    listAccessKeys: (account, name) =>
      read('access keys', (sql) => listAccessKeys(sql, account, name)),
    findToken: (id) => read('a token', (sql) => findToken(sql, id)),
    listTokens: (account, principal) =>
      read('tokens', (sql) => listTokens(sql, account, principal)),
    listIdentityPolicies: (account, principal) =>
      read('policies', (sql) => listIdentityPolicies(sql, account, principal)),
    findRegistryPolicy: (registry) => read('a policy', (sql) => findRegistryPolicy(sql, registry)),
    listAudit: (options) => read('the audit', (sql) => listAudit(sql, options)),

    createAccount: (input) => write('createAccount', input),
    createPrincipal: (input) => write('createPrincipal', input),
    deletePrincipal: (input) => write('deletePrincipal', input),
    createAccessKey: (input) => write('createAccessKey', input),
    deleteAccessKey: (input) => write('deleteAccessKey', input),
    createToken: (input) => write('createToken', input),
    deleteToken: (input) => write('deleteToken', input),
    putIdentityPolicy: (input) => write('putIdentityPolicy', input),
    deleteIdentityPolicy: (input) => write('deleteIdentityPolicy', input),
    setRegistryPolicy: (input) => write('setRegistryPolicy', input),
    async touchCredentials({ keys, tokens }) {
      const length = Math.max(keys.length, tokens.length);
      for (let from = 0; from < length; from += rowsPerWrite) {
        const end = from + rowsPerWrite;
        await write('touchCredentials', {
          keys: keys.slice(from, end),
          tokens: tokens.slice(from, end),
        });
      }
    },
    async pruneAudit(input) {
      while ((await write('pruneAudit', input)) >= auditPrunedMax);
    },
    async appendAudit(rows) {
      for (let from = 0; from < rows.length; from += rowsPerWrite) {
        await write('appendAudit', rows.slice(from, from + rowsPerWrite));
      }
    },
  };
}
