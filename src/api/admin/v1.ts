import { authenticate } from '../../access/basic.ts';
import type { Credentials } from '../../access/credentials.ts';
import type { Explain } from '../../cache/explain.ts';
import type { Refresh } from '../../cache/refresh.ts';
import type { Listing, PullView, VersionView } from '../../domain/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { RuleSet } from '../../domain/rule-set.ts';
import type { Handler, Incoming, Reply } from '../../http/reply.ts';
import type { Metadata, PullRow } from '../../metadata/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Upstream } from '../../ports/upstream.ts';
import { inputs, readJson, readQuery } from './v1-input.ts';
import { problemReply } from './v1-problem.ts';
import { verifyRules, viewRule, viewUpstreams } from './v1-rules.ts';

export interface ApiParts {
  readonly rules: () => RuleSet;
  readonly explain: Explain;
  readonly refresh: Refresh;
  readonly upstream: Upstream;
  readonly metadata: Pick<Metadata, 'listPulls'>;
  readonly clock: Clock;
  readonly version: VersionView;
  readonly credentials: Credentials;
  /** Told of what was answered as an internal error. */
  readonly failed: (error: unknown, requestId: string) => void;
}

type Endpoint = (request: Incoming) => Promise<unknown>;
type Route = Readonly<Partial<Record<'GET' | 'POST', Endpoint>>>;

/** Everything under `/api/v1/`, for the administrator alone; answers JSON, errors as problems (RFC 9457). Never throws. */
export function createApiHandler(parts: ApiParts): Handler {
  const routes = createRoutes(parts);
  return async (request) => {
    try {
      const endpoint = chooseEndpoint(routes, request, parts);
      return jsonReply(await endpoint(request));
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code === 'internal')
        parts.failed(error, request.id);
      return problemReply(error, request.id);
    }
  };
}

/** Who is asking comes first, so that nothing can be learnt without credentials. */
function chooseEndpoint(
  routes: ReadonlyMap<string, Route>,
  request: Incoming,
  parts: ApiParts,
): Endpoint {
  const who = authenticate(request.headers.authorization, parts.credentials, { mirror: false });
  if (who !== 'administrator')
    throw new RegistryError('unauthorized', 'the key of dataDir/credentials is needed', {
      detail: { hint: 'send it as Basic: the access key as user, the secret key as password' },
    });
  const site = request.headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site')
    throw new RegistryError('denied', 'requests from other sites are refused');
  const route = routes.get(request.path);
  if (route === undefined) throw new RegistryError('routeUnknown', 'no such endpoint');
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const endpoint = method === 'GET' || method === 'POST' ? route[method] : undefined;
  if (endpoint === undefined)
    throw new RegistryError('unsupported', 'the endpoint does not take this method', {
      detail: { allow: Object.keys(route).join(', ') },
    });
  return endpoint;
}

function createRoutes(parts: ApiParts): ReadonlyMap<string, Route> {
  const rulesNow = () => parts.rules().rules;
  return new Map<string, Route>([
    [
      '/api/v1/explain',
      {
        GET: (request) => parts.explain(readQuery(request, inputs.explain), request.signal),
      },
    ],
    [
      '/api/v1/refresh',
      {
        POST: async (request) => {
          const { image } = await readJson(request, inputs.refresh);
          return parts.refresh(image, request.signal);
        },
      },
    ],
    [
      '/api/v1/rules',
      {
        GET: async (request) => {
          readQuery(request, inputs.nothing);
          const now = parts.clock.now();
          return listing(rulesNow().map((rule) => viewRule(rule, parts.upstream, now)));
        },
      },
    ],
    [
      '/api/v1/rules/verify',
      {
        POST: async (request) => {
          const { prefix } = await readJson(request, inputs.verify);
          return listing(await verifyRules(rulesNow(), prefix, parts, request.signal));
        },
      },
    ],
    [
      '/api/v1/upstreams',
      {
        GET: async (request) => {
          readQuery(request, inputs.nothing);
          return listing(viewUpstreams(rulesNow(), parts.upstream, parts.clock.now()));
        },
      },
    ],
    [
      '/api/v1/pulls',
      {
        GET: async (request) => {
          const { limit } = readQuery(request, inputs.pulls);
          return listing((await parts.metadata.listPulls(limit)).map(viewPull));
        },
      },
    ],
    ['/api/v1/version', { GET: async () => parts.version }],
  ]);
}

function listing<Item>(items: readonly Item[]): Listing<Item> {
  return { items, next: null };
}

function viewPull(row: PullRow): PullView {
  return {
    hour: new Date(row.hour).toISOString(),
    clientAddress: row.clientAddress,
    ns: row.ns,
    image: row.image,
    digest: row.digest ?? null,
    verdict: row.verdict,
    count: row.count,
    lastAt: new Date(row.lastAt).toISOString(),
  };
}

function jsonReply(value: unknown): Reply {
  return {
    status: 200,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
    body: `${JSON.stringify(value)}\n`,
    note: { route: 'api' },
  };
}
