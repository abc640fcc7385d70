import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Invalidations } from '../../../src/ports/invalidations.ts';
import type { Asker, AuditEntry, RequestFrom, Signatures } from '../../../src/access/access.ts';
import { newKeyPair } from '../../../src/access/secrets/credentials.ts';
import type { KeyPair } from '../../../src/access/secrets/credentials.ts';
import { createCredentialUse } from '../../../src/access/identify/credential-use.ts';
import { RememberingIdentifier } from '../../../src/access/identify/identifier.ts';
import type { Identities } from '../../../src/access/accounts/identities.ts';
import { openKeyStore } from '../../../src/access/secrets/key-store.ts';
import type { KeyStore } from '../../../src/access/secrets/key-store.ts';
import { createOidc } from '../../../src/access/identify/oidc.ts';
import type { JwtIssuer } from '../../../src/access/identify/oidc.ts';
import { createLoginFailures } from '../../../src/access/identify/login-failures.ts';
import { createSignatures } from '../../../src/access/signatures/signatures.ts';
import { openIdentities } from '../../../src/access/accounts/open-identities.ts';
import { createOwnTokens } from '../../../src/access/identify/own-tokens.ts';
import type { OwnTokens } from '../../../src/access/identify/own-tokens.ts';
import { createTokenService } from '../../../src/access/identify/registry-tokens.ts';
import type { TokenService } from '../../../src/access/identify/registry-tokens.ts';
import { homeRegistry } from '../samples/home-registry.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import { openSqliteMetadata } from '../../../src/metadata/engine/sqlite.ts';
import { createFakeClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';
import { createTestInvalidations } from './invalidations.ts';

export const homeAccount = '000000000000';

/** All that answers who is asking, over a metadata file of its own and a clock that is turned by hand. */
export interface IdentityRig extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly metadata: Metadata;
  readonly keys: KeyStore;
  readonly tokens: OwnTokens;
  readonly tokenService: TokenService;
  readonly identities: Identities;
  readonly identifier: RememberingIdentifier;
  readonly signatures: Signatures;
  readonly invalidations: Invalidations;
  readonly administrator: KeyPair;
  readonly author: Asker;
  /** What was told to the audit, in its order. */
  readonly audited: AuditEntry[];
  /** Holds up what the identifier reads of a principal. */
  pause: (() => Promise<void>) | undefined;
  /** In force from the next request on. */
  issuers: readonly JwtIssuer[];
  from(address?: string): RequestFrom;
}

export async function openIdentityRig(): Promise<IdentityRig> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-identity-'));
  const clock = createFakeClock();
  const metadata = await openSqliteMetadata(join(folder, 'metadata.sqlite'));
  const keys = await openKeyStore(folder, clock);
  const tokens = createOwnTokens({ signing: () => keys.signing, clock });
  let administrator: KeyPair = {
    accessKeyId: 'AKIAEXAMPLE',
    secretAccessKey: 's3cret:with:colons',
  };
  const audited: AuditEntry[] = [];
  const audit = { record: (entry: AuditEntry): void => void audited.push(entry) };
  const live: { issuers: readonly JwtIssuer[]; pause: (() => Promise<void>) | undefined } = {
    issuers: [],
    pause: undefined,
  };
  const invalidations = createTestInvalidations();
  const logins = {
    invalidations,
    metadata: {
      roles: metadata.roles,
      identities: {
        ...metadata.identities,
        findPrincipal: async (account: string, name: string) => {
          const row = await metadata.identities.findPrincipal(account, name);
          await live.pause?.();
          return row;
        },
      },
    },
    keys,
    homeAccount,
    administrator: () => administrator,
    clock,
    failures: createLoginFailures({ clock, audit, home: homeRegistry }),
    use: createCredentialUse(metadata, clock),
  };
  const identifier = new RememberingIdentifier({
    ...logins,
    tokens,
    oidc: createOidc({ issuers: () => live.issuers, clock, keysFailed: () => {} }),
  });
  const identities = await openIdentities({
    metadata,
    keys,
    administrator: {
      file: 'credentials',
      pair: () => administrator,
      rotate: async () => {
        administrator = newKeyPair();
        return administrator;
      },
    },
    home: homeRegistry,
    clock,
    audit,
    onChange: () => invalidations.note({ kind: 'credentials' }),
  });
  const from = (address = '192.0.2.1'): RequestFrom => ({
    address,
    secure: true,
    isLoopback: false,
    userAgent: undefined,
    requestId: 'r-1',
  });
  return {
    clock,
    metadata,
    keys,
    tokens,
    tokenService: createTokenService({ tokens, clock }),
    identities,
    identifier,
    signatures: createSignatures(logins),
    invalidations,
    get administrator() {
      return administrator;
    },
    author: {
      caller: {
        principal: { kind: 'administrator', account: homeAccount },
        via: 'key',
        scopes: undefined,
      },
      from: from(),
    },
    audited,
    get pause() {
      return live.pause;
    },
    set pause(pause) {
      live.pause = pause;
    },
    get issuers() {
      return live.issuers;
    },
    set issuers(issuers) {
      live.issuers = issuers;
    },
    from,
    [Symbol.asyncDispose]: async () => {
      await logins.use[Symbol.asyncDispose]();
      await metadata[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As clients send it. */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
