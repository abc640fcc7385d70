import * as z from 'zod';
import type { Audit, Authorizer, Caller, Identifier } from '../../access/access.ts';
import type { Identities } from '../../access/accounts/identities.ts';
import type { Policies } from '../../access/accounts/policies.ts';
import { requestFrom } from '../../access/admission/admission.ts';
import type { VisibleRepositories } from '../../access/authorize/visible-repositories.ts';
import type { Pushes } from '../../cache/push/pushes.ts';
import type { Refresh } from '../../cache/explain/refresh.ts';
import type { RepositorySettings } from '../../cache/push/repository-settings.ts';
import type { CountRecords } from '../../cache/whose-bytes.ts';
import type { VersionView } from '../../contract/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import type { RegistrySettings } from '../../domain/names/registry.ts';
import type { RuleSet } from '../../domain/rules/rule-set.ts';
import { crossSiteReason } from '../../http/cross-site.ts';
import type { Handler, Incoming, Reply } from '../../http/reply.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Upstream } from '../../ports/upstream.ts';
import type { ExplainFor } from './explain-callers.ts';
import { accessEndpoints } from './access.ts';
import { accessKeyEndpoints } from './access-keys.ts';
import { accountEndpoints } from './accounts.ts';
import type { Admission } from './admission.ts';
import {
  createAdmission,
  isForRegistryClients,
  isOperator,
  recordDenial,
  refuseRegistryClient,
} from './admission.ts';
import { cacheEndpoints } from './cache.ts';
import type { Asker, Endpoint } from './endpoint.ts';
import { endpoint } from './endpoint.ts';
import { imageEndpoints } from './images.ts';
import { nothing } from './input.ts';
import { openApiOf } from './openapi.ts';
import { policyEndpoints } from './policies.ts';
import { asStorageError } from '../../cache/space/storage-answer.ts';
import { problemReply } from './problem.ts';
import { repositoryEndpoints } from './repositories.ts';
import { tokenEndpoints } from './tokens.ts';
import { userEndpoints } from './users.ts';

export interface ApiParts {
  readonly identifier: Identifier;
  readonly authorizer: Authorizer;
  readonly visibleRepositories: VisibleRepositories;
  readonly identities: Identities;
  readonly policies: Policies;
  readonly audit: Audit;
  /** A password for `AWS:<password>`, and until when (ms); within the caller's own limits. */
  readonly ecrPassword: (
    caller: Caller,
  ) => Promise<{ readonly password: string; readonly expiresAt: number }>;
  /** The home account and the regions, as configured now. */
  readonly registries: () => RegistrySettings;
  /** Without a trailing slash; empty: the request's Host. */
  readonly publicUrl: () => string;
  readonly rules: () => RuleSet;
  readonly explain: ExplainFor;
  readonly refresh: Refresh;
  readonly pushes: Pick<Pushes, 'createRepository' | 'deleteRepository' | 'deleteManifest'>;
  readonly settings: RepositorySettings;
  readonly counting: CountRecords;
  readonly upstream: Upstream;
  readonly metadata: Pick<
    Metadata,
    'identities' | 'manifests' | 'records' | 'repositories' | 'tags'
  >;
  readonly clock: Clock;
  readonly version: VersionView;
  /** Told of what was answered as an internal error. */
  readonly failed: (error: unknown, requestId: string) => void;
}

const prefix = '/api/v1/';

/** Everything under `/api/v1/`, for whoever has credentials; answers JSON, errors as problems (RFC 9457). Never throws. */
export function createApiHandler(parts: ApiParts): Handler {
  const admission = createAdmission(parts);
  const table = createTable(parts, admission);
  const routes = routesOf(table);
  return async (request) => {
    let asker: Asker | undefined;
    try {
      asker = await identify(request, parts);
      refuseOtherSites(request, asker, { ...parts, admission });
      const chosen = chooseEndpoint(routes, request);
      refuseCredential(chosen, asker, { ...parts, admission });
      return jsonReply(chosen.status, await chosen.answer(request, asker), asker);
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code === 'internal')
        parts.failed(error, request.id);
      return problemReply(
        asStorageError(error),
        request.id,
        asker && describePrincipal(asker.principal),
      );
    }
  };
}

/** Every endpoint, the description of them all included. */
function createTable(
  parts: ApiParts,
  admission: ReturnType<typeof createAdmission>,
): readonly Endpoint[] {
  const asked = { ...parts, admission };
  const table: Endpoint[] = [
    ...accountEndpoints(asked),
    ...userEndpoints(asked),
    ...accessKeyEndpoints(asked),
    ...tokenEndpoints(asked),
    ...policyEndpoints(asked),
    ...repositoryEndpoints(asked),
    ...imageEndpoints(asked),
    ...accessEndpoints(asked),
    ...cacheEndpoints(parts),
  ];
  let document: Readonly<Record<string, unknown>> | undefined;
  const described = endpoint({
    method: 'GET',
    path: 'openapi.json',
    summary: 'This document',
    input: nothing,
    output: z.record(z.string(), z.unknown()),
    answer: async () => (document ??= openApiOf(table, parts.version.version)),
  });
  table.push(described);
  return table;
}

type Routes = ReadonlyMap<string, ReadonlyMap<string, Endpoint>>;

function routesOf(table: readonly Endpoint[]): Routes {
  const routes = new Map<string, Map<string, Endpoint>>();
  for (const each of table) {
    const path = `${prefix}${each.path}`;
    const methods = routes.get(path) ?? new Map<string, Endpoint>();
    routes.set(path, methods.set(each.method, each));
  }
  return routes;
}

/** Who is asking comes first, so that nothing can be learnt without credentials. */
async function identify(request: Incoming, { identifier }: ApiParts): Promise<Asker> {
  const from = requestFrom(request);
  const { authorization } = request.headers;
  const caller = await identifier.identify(authorization, from, { mirror: false });
  const { principal } = caller;
  if (principal.kind === 'anonymous')
    throw new RegistryError('unauthorized', 'credentials are needed', {
      detail: {
        hint: 'send an access key as Basic (the key of dataDir/credentials, or a user’s), or a token as Bearer',
      },
    });
  return { caller, principal, from };
}

interface Refusing {
  readonly audit: Audit;
  readonly admission: Pick<Admission, 'home'>;
}

function refuseOtherSites(
  request: Incoming,
  asker: Asker,
  { audit, admission, publicUrl }: Refusing & Pick<ApiParts, 'publicUrl'>,
): void {
  const because = crossSiteReason(request, publicUrl());
  if (because === undefined) return;
  recordDenial(audit, asker, {
    action: `${request.method} ${request.path}`,
    resource: '',
    registry: admission.home,
    because,
  });
  throw new RegistryError('denied', 'requests from other sites are refused');
}

/** What the kind of credential rules out, whatever policies say: registry clients' change nothing, and operate nothing. */
function refuseCredential(
  { method, path, operator }: Endpoint,
  asker: Asker,
  { audit, admission }: Refusing,
): void {
  const action = `${method} ${prefix}${path}`;
  const where = { registry: admission.home, resource: '' };
  if (method !== 'GET' && isForRegistryClients(asker.caller))
    throw refuseRegistryClient(audit, asker, action, where);
  if (!operator || isOperator(asker.caller, admission.home)) return;
  recordDenial(audit, asker, { ...where, action, because: 'for the operator alone' });
  throw operatorOnly();
}

function chooseEndpoint(routes: Routes, request: Incoming): Endpoint {
  const methods = routes.get(request.path);
  if (methods === undefined) throw new RegistryError('routeUnknown', 'no such endpoint');
  const chosen = methods.get(request.method === 'HEAD' ? 'GET' : request.method);
  if (chosen !== undefined) return chosen;
  throw new RegistryError('unsupported', 'the endpoint does not take this method', {
    detail: { allow: [...methods.keys()].join(', ') },
  });
}

function operatorOnly(): RegistryError {
  return new RegistryError('denied', 'only the administrator of the home account may', {
    detail: { hint: 'use the key of dataDir/credentials' },
  });
}

function jsonReply(status: number, value: unknown, { principal }: Asker): Reply {
  return {
    status,
    headers: {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 204 ? {} : { 'content-type': 'application/json' }),
    },
    ...(status === 204 ? {} : { body: `${JSON.stringify(value)}\n` }),
    note: { route: 'api' },
    principal: describePrincipal(principal),
  };
}
