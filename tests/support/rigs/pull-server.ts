import { anonymousCaller } from '../../../src/access/access.ts';
import type { AuditEntry, Caller, Identifier } from '../../../src/access/access.ts';
import { createAuthorizer } from '../../../src/access/authorize/authorizer.ts';
import { grantScopes } from '../../../src/access/secrets/scopes.ts';
import { createVisibleRepositories } from '../../../src/access/authorize/visible-repositories.ts';
import {
  createHubMirrorHandler,
  createOciHandler,
  ociErrorReply,
} from '../../../src/api/oci/handler.ts';
import type { OciSettings } from '../../../src/api/oci/handler.ts';
import { createMadeRepositories } from '../../../src/cache/memory/made-repositories.ts';
import type { MadeRepositories } from '../../../src/cache/memory/made-repositories.ts';
import { builtinRules, ruleDefaults } from '../../../src/domain/rules/builtin-rules.ts';
import { RegistryError } from '../../../src/domain/errors.ts';
import { normalizeHost } from '../../../src/domain/names/host-name.ts';
import type { PullRule } from '../../../src/domain/rules/pull-rule.ts';
import { createRuleSet } from '../../../src/domain/rules/rule-set.ts';
import type { RuleSet } from '../../../src/domain/rules/rule-set.ts';
import { mutableTags } from '../../../src/domain/names/tag-mutability.ts';
import { createBodyBuffers } from '../../../src/http/bodies/body-buffers.ts';
import type { Served } from '../../../src/domain/served.ts';
import { createServer } from '../../../src/http/server.ts';
import type { OperationsParts } from '../../../src/operations/operations.ts';
import { createOperations } from '../../../src/operations/operations.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import type { StoredRepository } from '../../../src/metadata/contract/rows.ts';
import { createFakeCache } from './fake-cache.ts';
import type { FakeCache } from './fake-cache.ts';
import { createFakeClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';
import { createFakePushes } from './fake-pushes.ts';
import { rulesOfHome } from './home-rules.ts';
import { createTestInvalidations } from './invalidations.ts';
import type { FakePushes } from './fake-pushes.ts';
import { exchange } from '../clients/http-exchange.ts';
import type { HttpAnswer, HttpQuestion } from '../clients/http-exchange.ts';

/** The registry API over real HTTP on loopback, with a fake cache behind it and the real decisions about rights. */
export interface PullServer extends AsyncDisposable {
  readonly port: number;
  readonly cache: FakeCache;
  readonly pushes: FakePushes;
  readonly clock: FakeClock;
  /** What the fake cache and the fake pushes say that they made. */
  readonly made: MadeRepositories;
  readonly served: Served[];
  readonly failures: unknown[];
  readonly audited: AuditEntry[];
  /** Rows that the gate looks up, by local repository name. */
  readonly repositories: Map<string, StoredRepository>;
  /** Of the home registry, by their names in the metadata. */
  readonly registrySettings: Map<string, string>;
  /** Identity policies of users of the home account, by name. */
  readonly identityPolicies: Map<string, string>;
  rules: RuleSet;
  settings: OciSettings & { readonly anonymousImport: boolean | 'loopback' };
  ask(path: string, question?: HttpQuestion): Promise<HttpAnswer>;
}

export const administratorHeader: string = basicHeader('AKIAEXAMPLE', 'secret');

/** A user of the home account, whose password is `secret`. */
export function userHeader(name: string): string {
  return basicHeader(name, 'secret');
}

/** A rule of a file for a host, changed as given. */
export function ruleFor(prefix: string, host: string, change: Partial<PullRule> = {}): PullRule {
  return {
    ...ruleDefaults,
    prefix,
    origin: 'file',
    urls: [{ origin: `https://${host}`, host, plain: false }],
    upstreamHost: normalizeHost(host),
    ...change,
  };
}

export const credentialed: Partial<PullRule> = {
  credential: { name: 'c', username: 'u', accessToken: 't' },
  anonymousPull: false,
};

export const cachedRepository: StoredRepository = {
  private: false,
  stopped: undefined,
  createdAt: 0,
  pushed: false,
  tagMutability: mutableTags,
  policy: undefined,
};

const account = '000000000000';

/** What operations are made of that the registry API does not ask for. */
const unused = {} as OperationsParts;

export async function startPullServer(
  rules: readonly PullRule[] = builtinRules,
  listener: 'main' | 'hub' = 'main',
): Promise<PullServer> {
  const cache = createFakeCache();
  const invalidations = createTestInvalidations();
  const pushes = createFakePushes(invalidations);
  const clock = createFakeClock();
  const made = createMadeRepositories(clock);
  const served: Served[] = [];
  const failures: unknown[] = [];
  const audited: AuditEntry[] = [];
  const audit = { record: (entry: AuditEntry): void => void audited.push(entry) };
  const repositories = new Map<string, StoredRepository>();
  const registrySettings = new Map<string, string>();
  const identityPolicies = new Map<string, string>();
  const create = listener === 'main' ? createOciHandler : createHubMirrorHandler;
  const metadata = {
    repositories: {
      findRegistrySetting: async (_registry: string, name: string) => registrySettings.get(name),
      findRepository: async ({ repository }: { repository: string }) =>
        repositories.get(repository),
      listRepositories: async (
        _registry: string,
        { after, limit }: { readonly after: string; readonly limit: number },
      ) =>
        [...repositories]
          .filter(([name]) => name > after)
          .toSorted(([one], [other]) => (one < other ? -1 : 1))
          .slice(0, limit)
          .map(([name, row]) => ({ ...row, name: name as never })),
    },
    managedPolicies: { listAttachedPolicies: async () => [] },
    identities: {
      findAccount: async () => undefined,
      findRegistryPolicy: async () => undefined,
      listIdentityPolicies: async (_account: string, principal: string) => {
        const text = identityPolicies.get(principal);
        return text === undefined
          ? []
          : [{ account, principal, name: 'inline', text, updatedAt: 0 }];
      },
    },
  };
  const handler = create({
    rules: {
      of: rulesOfHome(() => server.rules),
      get stamp() {
        return server.rules;
      },
    },
    settings: () => server.settings,
    ...createOperations({
      ...unused,
      rules: rulesOfHome(() => server.rules),
      registries: () => server.settings,
      cache,
      pushes,
      metadata: metadata as unknown as Metadata,
      authorizer: createAuthorizer({
        metadata: metadata as unknown as Metadata,
        settings: () => server.settings,
        clock,
        audit,
        invalidations,
      }),
      visibleRepositories: createVisibleRepositories({
        metadata,
        clock,
        sealing: {
          seal: (text) => Buffer.from(JSON.stringify(text)).toString('base64url'),
          open: (sealed) => JSON.parse(Buffer.from(sealed, 'base64url').toString()) as string,
        },
      }),
      audit,
      made,
      clock,
    }),
    identifier: createFakeIdentifier(),
    tokens: {
      issueToken: async ({ caller, scopes, service }) => {
        const made = { caller, scopes: grantScopes(scopes, undefined), service };
        const token = Buffer.from(JSON.stringify(made)).toString('base64url');
        return { token, access_token: token, expires_in: 300, issued_at: '' };
      },
    },
    failed: (error) => failures.push(error),
  });
  const running = await createServer({
    handler,
    listen: { host: '127.0.0.1', port: 0 },
    connectionsMax: 100,
    buffers: createBodyBuffers(4 * 1024 * 1024, clock),
    timer: clock,
    onServed: (each) => served.push(each),
    onError: (error) => failures.push(error),
    replyTo: ociErrorReply,
  });
  const server: PullServer = {
    port: running.port,
    cache,
    pushes,
    clock,
    made,
    served,
    failures,
    audited,
    repositories,
    registrySettings,
    identityPolicies,
    rules: createRuleSet(rules),
    settings: {
      registryId: account,
      regions: ['us-east-1', 'eu-west-1'],
      anonymousPull: true,
      anonymousImport: 'loopback',
      publicUrl: '',
    },
    ask: (path, question) => exchange(running.port, path, question),
    [Symbol.asyncDispose]: () => running.cut(),
  };
  return server;
}

/** Knows the administrator's pair, users by `secret`, and tokens of the fake token service. */
function createFakeIdentifier(): Identifier {
  const known = new Map<string, Caller>();
  return {
    identify: (authorization, _from, { mirror }) => {
      const caller = known.get(authorization ?? '') ?? read(authorization);
      if (caller !== undefined) {
        known.set(authorization ?? '', caller);
        return caller;
      }
      if (mirror) return anonymousCaller;
      throw new RegistryError('unauthorized', 'the credentials are not known here');
    },
  };
}

function read(authorization: string | undefined): Caller | undefined {
  if (authorization === undefined) return anonymousCaller;
  if (authorization === administratorHeader)
    return { principal: { kind: 'administrator', account }, via: 'key', scopes: undefined };
  const [scheme = '', text = ''] = authorization.split(' ');
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  if (scheme === 'Bearer') {
    if (!decoded.startsWith('{')) return undefined;
    const { caller, scopes } = JSON.parse(decoded) as Caller & { readonly caller: Caller };
    return { ...caller, via: 'bearer', scopes };
  }
  const [name = '', password] = decoded.split(':');
  if (name === '' || password !== 'secret') return undefined;
  return { principal: { kind: 'user', account, name }, via: 'key', scopes: undefined };
}

function basicHeader(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
