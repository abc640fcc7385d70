import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEntry, Caller, Identifier } from '../../../src/access/access.ts';
import { newKeyPair } from '../../../src/access/secrets/credentials.ts';
import { createAuthorizer } from '../../../src/access/authorize/authorizer.ts';
import { createDownloadTokens } from '../../../src/access/identify/download-tokens.ts';
import { createOwnTokens } from '../../../src/access/identify/own-tokens.ts';
import { createFileSecrets } from '../../../src/operations/secrets/file-secrets.ts';
import type { KeyStore } from '../../../src/access/secrets/key-store.ts';
import { openKeyStore } from '../../../src/access/secrets/key-store.ts';
import { createLocalLeases } from '../../../src/coordination/local-leases.ts';
import type { KeyRotation } from '../../../src/operations/keys/key-rotation.ts';
import { createKeyRotation } from '../../../src/operations/keys/key-rotation.ts';
import type { Sealing } from '../../../src/access/secrets/key-store.ts';
import { openIdentities } from '../../../src/access/accounts/open-identities.ts';
import { createLoginFailures } from '../../../src/access/identify/login-failures.ts';
import { createOidc } from '../../../src/access/identify/oidc.ts';
import type { JwtIssuer } from '../../../src/access/identify/oidc.ts';
import { createMarkOwnKey } from '../../../src/access/identify/own-keys.ts';
import { createWebIdentities } from '../../../src/access/identify/web-identities.ts';
import { createRoles } from '../../../src/access/accounts/roles.ts';
import { createManagedPolicies } from '../../../src/access/accounts/managed-policies.ts';
import { createPolicies } from '../../../src/access/accounts/policies.ts';
import { parseScope } from '../../../src/access/secrets/scopes.ts';
import { createVisibleRepositories } from '../../../src/access/authorize/visible-repositories.ts';
import { createApiHandler } from '../../../src/api/v1/v1.ts';
import {
  createRepository,
  deleteRepository,
  setTagMutability,
} from '../../../src/cache/push/repositories.ts';
import { deleteBlob, deleteManifest } from '../../../src/cache/push/delete-content.ts';
import { RepositoryMemory } from '../../../src/cache/memory/repository-memory.ts';
import { countingRecords } from '../../../src/cache/whose-bytes.ts';
import { RegistryError } from '../../../src/domain/errors.ts';
import type { Explanation } from '../../../src/contract/explanation.ts';
import type { Principal } from '../../../src/domain/policy/principal.ts';
import { registryOf } from '../../../src/domain/names/registry.ts';
import { homeRegistry } from '../samples/home-registry.ts';
import { openRuleBook } from '../../../src/cache/rules/rule-book.ts';
import type { RuleBook } from '../../../src/cache/rules/rule-book.ts';
import type { PullRule } from '../../../src/domain/rules/pull-rule.ts';
import type { FoundSecret, SecretValues } from '../../../src/ports/secret-values.ts';
import type { Incoming } from '../../../src/http/reply.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import { openSqliteMetadata } from '../../../src/metadata/engine/sqlite.ts';
import { createOperations } from '../../../src/operations/operations.ts';
import type { Operations, OperationsParts } from '../../../src/operations/operations.ts';
import { createFakeCache } from './fake-cache.ts';
import { createFakePushes } from './fake-pushes.ts';
import { testRule } from './cache-rig.ts';
import type { FakeClock } from './fake-clock.ts';
import { createFakeClock } from './fake-clock.ts';
import { createScriptedUpstream } from '../upstreams/scripted-upstream.ts';
import { incomingBody } from '../samples/incoming-body.ts';
import { createTestInvalidations } from './invalidations.ts';

export const home: string = registryOf(homeRegistry).account;
export const otherAccount = '111111111111';

export interface ApiAsk {
  /** Who asks: a user of the home account, `admin`, `other` (the second account's administrator), `nobody`. */
  readonly as?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly headers?: Incoming['headers'];
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // Answers of every shape are looked into by tests.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any;
}

export interface ApiRig extends AsyncDisposable {
  readonly metadata: Metadata;
  /** Its SQLite file. */
  readonly metadataFile: string;
  readonly clock: FakeClock;
  readonly audited: AuditEntry[];
  readonly failures: unknown[];
  /** What the handler asks, for other front-ends over the same. */
  readonly operations: Operations;
  readonly sealing: Sealing;
  readonly keys: KeyStore;
  readonly keyRotation: KeyRotation;
  /** The same keys, as another process has them. */
  openKeys(): Promise<KeyStore>;
  readonly book: RuleBook;
  /** By their ARNs. */
  readonly secrets: Map<string, FoundSecret>;
  /** Limits the credential of a principal. */
  scopes: readonly string[] | undefined;
  /** How the credential was shown. */
  via: Caller['via'];
  /** `GET users`. */
  ask(endpoint: string, asked?: ApiAsk): Promise<ApiAnswer>;
}

export interface ApiChange extends Partial<OperationsParts> {
  /** The home registry's rules of the configuration. */
  readonly configured?: readonly PullRule[];
  /** Whose JWTs are taken. */
  readonly issuers?: readonly JwtIssuer[];
}

/** `/api/v1` over real metadata, policies and identities; who asks is said by the test. */
export async function openApi(change: ApiChange = {}): Promise<ApiRig> {
  const folder = await mkdtemp(join(tmpdir(), 'breakwater-api-'));
  const clock = createFakeClock();
  const metadataFile = join(folder, 'metadata.sqlite');
  const metadata = await openSqliteMetadata(metadataFile);
  const audited: AuditEntry[] = [];
  const failures: unknown[] = [];
  const audit = { record: (entry: AuditEntry) => void audited.push(entry) };
  const invalidations = createTestInvalidations();
  const authorizer = createAuthorizer({
    invalidations,
    metadata,
    clock,
    audit,
    settings: () => ({ ...registries, anonymousPull: true, anonymousImport: 'loopback' }),
  });
  const keys = await openKeyStore(folder, clock);
  let administrator = newKeyPair();
  const identities = await openIdentities({
    metadata,
    keys,
    administrator: {
      file: '/data/credentials',
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
  const repositories = new RepositoryMemory(metadata, clock, invalidations);
  const registries = { registryId: home, regions: ['us-east-1', 'eu-west-1'] };
  const known = new Map<string, FoundSecret>();
  const secrets: SecretValues = {
    find: async (_registry, arn) => known.get(arn) ?? { kind: 'notFound' },
  };
  const book = await openRuleBook({
    metadata,
    invalidations,
    clock,
    secrets,
    home: homeRegistry,
    configured: () => change.configured ?? [testRule()],
    upstreams: change.upstreams ?? (() => 'public'),
    accountInSecret: () => undefined,
    onChange: () => {},
    onFailure: (error) => failures.push(error),
  });
  const keyRotation = createKeyRotation({
    keys,
    metadata,
    invalidations,
    // Tests turn the clock while the database works: no lease may end by that.
    leases: createLocalLeases(createFakeClock()),
    clock,
    note: () => {},
    failed: (_message, about) => void failures.push(about),
  });
  const keyOptions = {
    metadata,
    keys,
    clock,
    homeAccount: home,
    administrator: () => administrator,
  };
  const limited: Limited = { scopes: undefined, via: 'key' };
  const changes = { metadata, repositories, clock, events: { emit: () => {} } };
  const operations = createOperations({
    cache: createFakeCache(),
    made: { take: () => false },
    authorizer,
    visibleRepositories: createVisibleRepositories({ metadata, sealing: keys, clock }),
    accounts: identities,
    roles: createRoles({
      metadata,
      clock,
      audit,
      home: () => homeRegistry,
      onChange: () => invalidations.note({ kind: 'credentials' }),
    }),
    storedPolicies: createPolicies({
      metadata,
      invalidations,
      clock,
      audit,
      home: () => homeRegistry,
    }),
    managedPolicies: createManagedPolicies({
      metadata,
      invalidations,
      clock,
      audit,
      home: () => homeRegistry,
    }),
    audit,
    ecrPassword: async () => ({ password: 'p4ss', expiresAt: clock.now() + 43_200_000 }),
    lifecycleGrammar: () => ({ expireByPull: false }),
    registries: () => registries,
    rules: book.inForce.of,
    book,
    secrets,
    fileSecrets: createFileSecrets({
      home: homeRegistry,
      secrets: () => new Map(),
      file: () => undefined,
    }),
    sealing: keys,
    serverKeys: { keys, rotation: keyRotation, settings: () => ({ from: ['file'] }) },
    downloadTokens: createDownloadTokens({
      ...keyOptions,
      tokens: createOwnTokens({ signing: () => keys.signing, clock }),
    }),
    webIdentities: createWebIdentities({
      oidc: createOidc({ issuers: () => change.issuers ?? [], clock, keysFailed: () => {} }),
      failures: createLoginFailures({ clock, audit, home: homeRegistry }),
    }),
    markOwnKey: createMarkOwnKey(keyOptions),
    upstreams: () => 'public',
    invalidations,
    explain: (request) => Promise.resolve(request as unknown as Explanation),
    refresh: (image) =>
      Promise.resolve({
        image,
        repository: 'up/a',
        tag: '1',
        before: null,
        after: 'x',
        changed: true,
      }),
    pushes: {
      ...createFakePushes(invalidations),
      deleteManifest: (request) => deleteManifest(changes, request),
      deleteBlob: (request) => deleteBlob(changes, request),
      createRepository: (request) => createRepository(changes, request),
      deleteRepository: (request) => deleteRepository(changes, request),
      setTagMutability: (request) => setTagMutability(changes, request),
    },
    counting: async (request) =>
      countingRecords(request.target, await repositories.isStopped(request)),
    upstream: createScriptedUpstream(),
    metadata,
    clock,
    ...change,
  });
  const handler = createApiHandler({
    ...operations,
    identifier: identifierOf(limited),
    publicUrl: () => '',
    version: { version: '1.2.3', node: '26.0.0' },
    failed: (error) => void failures.push(error),
  });
  return {
    metadata,
    metadataFile,
    clock,
    audited,
    failures,
    operations,
    sealing: keys,
    keys,
    keyRotation,
    openKeys: () => openKeyStore(folder, clock),
    book,
    secrets: known,
    get scopes() {
      return limited.scopes;
    },
    set scopes(scopes) {
      limited.scopes = scopes;
    },
    get via() {
      return limited.via;
    },
    set via(via) {
      limited.via = via;
    },
    async ask(endpoint, asked = {}) {
      const reply = await handler(requestOf(endpoint, asked));
      const body = reply.body as string | undefined;
      return {
        status: reply.status,
        headers: reply.headers,
        json: body === undefined ? undefined : (JSON.parse(body) as unknown),
      };
    },
    async [Symbol.asyncDispose]() {
      book[Symbol.dispose]();
      await metadata[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

function requestOf(
  endpoint: string,
  { as = 'admin', query = {}, body, headers }: ApiAsk,
): Incoming {
  const [method = '', path = ''] = endpoint.split(' ');
  const bytes = Buffer.from(
    body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body ?? {}),
  );
  return {
    id: 'r-1',
    method,
    path: `/api/v1/${path}`,
    query: new URLSearchParams(query).toString(),
    headers: {
      authorization: `Basic ${as}`,
      host: '127.0.0.1:5000',
      ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    clientAddress: '127.0.0.1',
    secure: false,
    host: '127.0.0.1:5000',
    isLoopback: true,
    isProxied: false,
    rawHeaders: [],
    signal: new AbortController().signal,
    ...incomingBody(bytes),
  };
}

type Limited = Pick<ApiRig, 'scopes' | 'via'>;

function identifierOf(limited: Limited): Identifier {
  return {
    identify: (authorization): Caller => {
      const name = authorization?.replace('Basic ', '');
      if (name === 'wrong')
        throw new RegistryError('unauthorized', 'the credentials are not known here');
      const principal = principalOf(name);
      const scopes = limited.scopes?.map(parseScope).filter((scope) => scope !== undefined);
      return { principal, via: limited.via, scopes } as Caller;
    },
  };
}

/** Whom a name means in tests. */
export function principalOf(name: string | undefined): Principal {
  if (name === undefined || name === 'nobody') return { kind: 'anonymous' };
  if (name === 'admin') return { kind: 'administrator', account: home };
  if (name === 'other') return { kind: 'administrator', account: otherAccount };
  return { kind: 'user', account: home, name };
}
