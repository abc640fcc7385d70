import type { Audit, AuditEntry, Authorizer, Signatures } from '../access/access.ts';
import { createAuditRecorder } from '../access/audit/audit.ts';
import type { AuditRecorderOptions } from '../access/audit/audit.ts';
import { createAuthorizer } from '../access/authorize/authorizer.ts';
import type { Administrator } from '../access/accounts/administrator.ts';
import { createCredentialUse } from '../access/identify/credential-use.ts';
import { createDownloadTokens } from '../access/identify/download-tokens.ts';
import type { DownloadTokens } from '../access/identify/download-tokens.ts';
import { RememberingIdentifier } from '../access/identify/identifier.ts';
import type { KeyFetchFailure } from '../access/identify/key-fetch.ts';
import type { Identities } from '../access/accounts/identities.ts';
import type { KeyStore, Sealing } from '../access/secrets/key-store.ts';
import { createOidc } from '../access/identify/oidc.ts';
import { createLoginFailures } from '../access/identify/login-failures.ts';
import { openIdentities } from '../access/accounts/open-identities.ts';
import { createOwnTokens } from '../access/identify/own-tokens.ts';
import type { OwnTokens } from '../access/identify/own-tokens.ts';
import { createManagedPolicies } from '../access/accounts/managed-policies.ts';
import type { ManagedPolicies } from '../access/accounts/managed-policies.ts';
import { createPolicies } from '../access/accounts/policies.ts';
import type { Policies } from '../access/accounts/policies.ts';
import { createMarkOwnKey } from '../access/identify/own-keys.ts';
import type { MarkOwnKey } from '../access/identify/own-keys.ts';
import { createWebIdentities } from '../access/identify/web-identities.ts';
import type { WebIdentities } from '../access/identify/web-identities.ts';
import { createRoles } from '../access/accounts/roles.ts';
import type { Roles } from '../access/accounts/roles.ts';
import { createTokenService } from '../access/identify/registry-tokens.ts';
import type { TokenService } from '../access/identify/registry-tokens.ts';
import { createSignatures } from '../access/signatures/signatures.ts';
import { createVisibleRepositories } from '../access/authorize/visible-repositories.ts';
import type { VisibleRepositories } from '../access/authorize/visible-repositories.ts';
import type { Config } from '../config/config.ts';
import { homeRegistryOf, registryOf } from '../domain/names/registry.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { Clock } from '../ports/clock.ts';
import type { Invalidations } from '../ports/invalidations.ts';
import type { Log } from '../telemetry/log.ts';

export interface AccessControlParts {
  readonly config: () => Config;
  readonly metadata: Metadata;
  readonly keys: KeyStore;
  readonly administrator: Administrator;
  readonly clock: Clock;
  readonly invalidations: Invalidations;
  readonly pruneAudit: AuditRecorderOptions['prune'];
  readonly log: Log;
  /** Each entry as it is told, for the metrics. */
  readonly audited: (entry: AuditEntry) => void;
}

/** Who is asking and may they, put together for one server. Disposing writes what the audit still has. */
export interface AccessControl extends AsyncDisposable {
  readonly identifier: RememberingIdentifier;
  readonly signatures: Signatures;
  readonly authorizer: Authorizer;
  readonly visibleRepositories: VisibleRepositories;
  readonly identities: Identities;
  readonly roles: Roles;
  readonly webIdentities: WebIdentities;
  readonly markOwnKey: MarkOwnKey;
  readonly policies: Policies;
  readonly managedPolicies: ManagedPolicies;
  readonly ownTokens: OwnTokens;
  readonly tokens: TokenService;
  readonly downloadTokens: DownloadTokens;
  readonly audit: Audit;
  /** Seals what clients carry for the server. */
  readonly sealing: Sealing;
}

export async function openAccessControl(parts: AccessControlParts): Promise<AccessControl> {
  const { config, metadata, keys, clock, log, administrator, invalidations } = parts;
  const home = homeRegistryOf(config());
  const audit = openAudit(parts);
  const authorizer = createAuthorizer({ metadata, settings: config, clock, audit, invalidations });
  const ownTokens = createOwnTokens({
    signing: () => keys.signing,
    clock,
    secretOf: (credential) => {
      const { accessKeyId, secretAccessKey } = administrator.pair();
      return credential === `key/${accessKeyId}` ? secretAccessKey : undefined;
    },
  });
  const logins = {
    metadata,
    keys,
    homeAccount: registryOf(home).account,
    administrator: () => administrator.pair(),
    clock,
    failures: createLoginFailures({ clock, audit, home }),
    use: createCredentialUse(metadata, clock),
    invalidations,
  };
  const oidc = createOidc({
    issuers: () => config().oidc,
    clock,
    keysFailed: (issuer, failure) => tellKeysFailed(log, issuer, failure),
  });
  const onChange = (): void => invalidations.note({ kind: 'credentials' });
  const changes = { metadata, clock, audit, onChange };
  const policyChanges = { metadata, home: () => home, invalidations, clock, audit };
  const identities = await openIdentities({ ...changes, keys, administrator, home });
  return {
    identifier: new RememberingIdentifier({ ...logins, tokens: ownTokens, oidc }),
    webIdentities: createWebIdentities({ ...logins, oidc }),
    markOwnKey: createMarkOwnKey(logins),
    signatures: createSignatures(logins),
    authorizer,
    visibleRepositories: createVisibleRepositories({ metadata, sealing: keys, clock }),
    identities,
    roles: createRoles({ ...changes, home: () => home }),
    policies: createPolicies(policyChanges),
    managedPolicies: createManagedPolicies(policyChanges),
    ownTokens,
    tokens: createTokenService({ tokens: ownTokens, clock }),
    downloadTokens: createDownloadTokens({ ...logins, tokens: ownTokens }),
    audit,
    sealing: keys,
    [Symbol.asyncDispose]: async () => {
      await logins.use[Symbol.asyncDispose]();
      await audit[Symbol.asyncDispose]();
    },
  };
}

function openAudit({
  metadata,
  pruneAudit,
  clock,
  log,
  audited,
}: AccessControlParts): Audit & AsyncDisposable {
  const recorder = createAuditRecorder({
    append: (rows) => metadata.records.appendAudit(rows),
    prune: pruneAudit,
    clock,
    onFailure: (message, error) => log.error(message, { logger: 'audit', error: String(error) }),
  });
  return {
    record: (entry) => {
      audited(entry);
      recorder.record(entry);
    },
    [Symbol.asyncDispose]: () => recorder[Symbol.asyncDispose](),
  };
}

function tellKeysFailed(
  log: Log,
  issuer: string,
  { message, url, status, contentType }: KeyFetchFailure,
): void {
  log.warn(`the keys of ${issuer} cannot be had from ${url}: ${message}`, {
    logger: 'oidc',
    issuer,
    url,
    status,
    content_type: contentType,
  });
}
