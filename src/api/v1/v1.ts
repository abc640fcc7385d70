import * as z from 'zod';
import type { Identifier } from '../../access/access.ts';
import { requestFrom } from '../../access/admission/admission.ts';
import { asStorageError } from '../../cache/space/storage-answer.ts';
import type { VersionView } from '../../contract/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import { crossSiteReason } from '../../http/cross-site.ts';
import type { Handler, Incoming, Reply } from '../../http/reply.ts';
import type { Operations } from '../../operations/operations.ts';
import { answerOperation } from '../operation.ts';
import type { Asking } from '../operation.ts';
import { accessEndpoints } from './access.ts';
import { cacheEndpoints } from './cache.ts';
import { contentEndpoints } from './content.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { identityEndpoints } from './identities.ts';
import { keyEndpoints } from './keys.ts';
import { lifecycleEndpoints } from './lifecycles.ts';
import { nothing, queryOf, readJson } from './input.ts';
import { openApiOf } from './openapi.ts';
import { attachmentEndpoints } from './policy-attachments.ts';
import { policyEndpoints } from './policies.ts';
import { problemReply } from './problem.ts';
import { roleEndpoints } from './roles.ts';
import { ruleEndpoints } from './rules.ts';

export interface ApiParts extends Omit<Operations, 'pulls' | 'contentChanges'> {
  readonly identifier: Identifier;
  /** Without a trailing slash; empty: the request's Host. */
  readonly publicUrl: () => string;
  readonly version: VersionView;
  /** Told of what was answered as an internal error. */
  readonly failed: (error: unknown, requestId: string) => void;
}

const prefix = '/api/v1/';

/** Everything under `/api/v1/`, for whoever has credentials; answers JSON, errors as problems (RFC 9457). Never throws. */
export function createApiHandler(parts: ApiParts): Handler {
  const { admission, failed } = parts;
  const routes = routesOf(createTable(parts));
  return async (request) => {
    let asking: Asking | undefined;
    try {
      asking = await identify(request, parts);
      refuseOtherSites(request, asking, parts);
      const chosen = chooseEndpoint(routes, request);
      const action = `${chosen.method} ${prefix}${chosen.path}`;
      const read = () => (chosen.inQuery ? queryOf(request) : readJson(request));
      const answer = await answerOperation({ admission, action }, chosen, asking, read);
      return jsonReply(chosen.status, answer, asking);
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code === 'internal') failed(error, request.id);
      const principal = asking && describePrincipal(asking.caller.principal);
      return problemReply(asStorageError(error), request.id, principal);
    }
  };
}

/** Every endpoint, the description of them all included. */
function createTable(parts: ApiParts): readonly Endpoint[] {
  const table: Endpoint[] = [
    ...identityEndpoints(parts.identities),
    ...roleEndpoints(parts.roles),
    ...policyEndpoints(parts.policies),
    ...attachmentEndpoints(parts.policyAttachments),
    ...lifecycleEndpoints(parts.lifecycles),
    ...contentEndpoints(parts),
    ...accessEndpoints(parts),
    ...cacheEndpoints(parts),
    ...ruleEndpoints(parts),
    ...keyEndpoints(parts),
  ];
  let document: Readonly<Record<string, unknown>> | undefined;
  const described = endpoint({
    method: 'GET',
    path: 'openapi.json',
    summary: 'This document',
    input: nothing,
    output: z.record(z.string(), z.unknown()),
    answer: () => (document ??= openApiOf(table, parts.version.version)),
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
async function identify(
  request: Incoming,
  { identifier, publicUrl }: Pick<ApiParts, 'identifier' | 'publicUrl'>,
): Promise<Asking> {
  const from = requestFrom(request, crossSiteReason(request, publicUrl()));
  const { authorization } = request.headers;
  const caller = await identifier.identify(authorization, from, { mirror: false });
  if (caller.principal.kind === 'anonymous')
    throw new RegistryError('unauthorized', 'credentials are needed', {
      detail: {
        hint: 'send an access key as Basic (the key of dataDir/credentials, or a user’s), or a token as Bearer',
      },
    });
  const origin = `${request.secure ? 'https' : 'http'}://${request.host ?? 'localhost'}`;
  return { caller, from, origin, signal: request.signal };
}

function refuseOtherSites(
  { method, path }: Incoming,
  asking: Asking,
  { admission, places }: Pick<ApiParts, 'admission' | 'places'>,
): void {
  const { otherSite } = asking.from;
  if (otherSite === undefined) return;
  const subject = { registry: places.home, resource: '' };
  throw admission.refuseOtherSite(asking, `${method} ${path}`, subject, otherSite);
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

function jsonReply(status: number, value: unknown, { caller: { principal } }: Asking): Reply {
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
