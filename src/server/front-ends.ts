import { readFile } from 'node:fs/promises';
import { errorText } from '../domain/error-text.ts';
import type { AccessControl } from './access-control.ts';
import { mintEcrPassword } from '../access/identify/ecr-password.ts';
import { createExplainFor } from '../api/v1/explain-callers.ts';
import { createHealthHandler, type HealthCheck } from '../api/health/health.ts';
import { createApiHandler } from '../api/v1/v1.ts';
import { problemReply } from '../api/v1/problem.ts';
import {
  createHubMirrorHandler,
  createOciHandler,
  ociErrorReply,
  type OciParts,
} from '../api/oci/handler.ts';
import type { RunningCache } from '../cache/create-cache.ts';
import type { Config, ListenAddress } from '../config/config.ts';
import type { VersionView } from '../contract/admin-view.ts';
import { homeRegistryOf } from '../domain/names/registry.ts';
import type { RuleSet } from '../domain/rules/rule-set.ts';
import { createBodyBuffers } from '../http/bodies/body-buffers.ts';
import type { ClientRules } from '../http/client.ts';
import { isLoopbackAddress } from '../http/loopback.ts';
import type { Handler, Incoming, Reply, ReplyNote, Served } from '../http/reply.ts';
import { createServer, type HttpServerOptions, type RunningServer } from '../http/server.ts';
import { createWholeBodies } from '../http/bodies/whole-bodies.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import { createOperations } from '../operations/operations.ts';
import type { Clock } from '../ports/clock.ts';
import type { Upstream } from '../ports/upstream.ts';
import { createRefusalLog } from './refused-connections.ts';
import type { Log } from '../telemetry/log.ts';

const readBufferBudgetBytes = 48 * 1024 * 1024;
const adminConnectionsMax = 100;

export interface FrontEndParts {
  readonly config: () => Config;
  readonly rules: () => RuleSet;
  readonly cache: RunningCache;
  readonly metadata: Metadata;
  readonly upstream: Upstream;
  readonly access: AccessControl;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: VersionView;
  readonly onServed: (served: Served) => void;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly ready: readonly HealthCheck[];
  /** `host:port` of ours, as an image may begin with them. */
}

/** The listeners of one server; all of them speak before any is announced. */
export interface Listeners {
  readonly main: RunningServer;
  readonly hub: RunningServer | undefined;
  readonly admin: RunningServer;
}

/** Opens the listeners in the order that probes expect: admin first, so that a start can be watched. */
export async function openListeners(parts: FrontEndParts): Promise<Listeners> {
  const { clock } = parts;
  const config = parts.config();
  const buffers = createBodyBuffers(readBufferBudgetBytes, clock);
  const wholeBodies = createWholeBodies(clock);
  const failed = (error: unknown, requestId: string): void => {
    parts.log.error('a request failed', { request_id: requestId, error: describe(error) });
  };
  const oci = ociParts(parts, failed);
  const tellRefused = createRefusalLog(parts.log, clock);
  const opened: RunningServer[] = [];
  const open = async (
    setting: string,
    handler: Handler,
    listen: ListenAddress,
    extra: Partial<HttpServerOptions> = {},
  ): Promise<RunningServer> => {
    try {
      const server = await createServer({
        handler,
        listen,
        connectionsMax: config.limits.connectionsMax,
        buffers,
        wholeBodies,
        timer: clock,
        clients: clientRulesOf(parts),
        onServed: parts.onServed,
        onRefused: (refused) => tellRefused(setting, refused),
        onError: (error, request) => brokenBody(parts.log, error, request),
        replyTo: errorReply,
        ...extra,
      });
      opened.push(server);
      return server;
    } catch (error) {
      throw cannotListen(setting, listen, error);
    }
  };

  const tls = config.tls && {
    cert: await readFile(config.tls.certFile, 'utf8'),
    key: await readFile(config.tls.keyFile, 'utf8'),
  };
  const listening = { now: false };
  const started: HealthCheck = {
    name: 'listening',
    check: () => {
      if (!listening.now) throw new Error('the registry does not listen yet');
    },
  };
  const health = createHealthHandler({
    live: [],
    ready: [started, ...parts.ready],
    startup: [started],
    metrics: parts.metrics,
    clock,
  });
  try {
    const admin = await open('adminListen', health, config.adminListen, {
      connectionsMax: adminConnectionsMax,
      onServed: () => {},
    });
    const watched = watchProxies(parts);
    const main = await open(
      'listen',
      watched(mainHandler(parts, failed)),
      config.listen,
      tls && { tls },
    );
    const { hubMirrorListen } = config;
    const hub =
      hubMirrorListen === undefined
        ? undefined
        : await open('hubMirrorListen', watched(createHubMirrorHandler(oci)), hubMirrorListen);
    listening.now = true;
    return { main, admin, hub };
  } catch (error) {
    await Promise.all(opened.map((server) => server.cut()));
    throw error;
  }
}

/** Who is believed to say whom it asks for, and by which names this server is known; as they are configured now. */
function clientRulesOf({ config }: FrontEndParts): ClientRules {
  return {
    trustedProxies: () => config().trustedProxies,
    isOwnName(hostname) {
      const own = URL.parse(config().publicUrl)?.hostname.replace(/^\[|\]$/g, '');
      if (own === undefined) return false;
      // The names of the registries beside home: <account>.dkr.ecr.<region>.<publicUrl's host>.
      return (
        hostname === own || (/^\d{12}\.dkr\.ecr\b/.test(hostname) && hostname.endsWith(`.${own}`))
      );
    },
  };
}

/** Warns once of a proxy on this machine that is not in `trustedProxies`: all that come through it share its address. */
function watchProxies({ log }: FrontEndParts): (handler: Handler) => Handler {
  let isTold = false;
  const look = (request: Incoming): void => {
    if (!request.isProxied || !isLoopbackAddress(request.clientAddress)) return;
    isTold = true;
    log.warn(
      'a proxy on this machine asks for others: they share its address in log, audit and login limits, and have no rights of loopback; name it in trustedProxies, and let it set X-Forwarded-For, -Proto and -Host',
      { setting: 'trustedProxies', address: request.clientAddress },
    );
  };
  return (handler) => (request) => {
    if (!isTold) look(request);
    return handler(request);
  };
}

function cannotListen(setting: string, { host, port }: ListenAddress, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const why =
    code === 'EADDRINUSE'
      ? 'another program listens there; stop it or choose another port'
      : code === 'EACCES'
        ? 'this user may not listen there; choose a port above 1023'
        : String(error);
  return new Error(`${setting}: ${host}:${port}: ${why}`, { cause: error });
}

/** The registry, and `/api/v1` beside it on the same listener. */
function mainHandler(
  parts: FrontEndParts,
  failed: (error: unknown, requestId: string) => void,
): Handler {
  const { rules, metadata, upstream, clock, cache, version, access } = parts;
  const { identifier, authorizer, identities, policies, audit, ownTokens } = access;
  const { visibleRepositories } = access;
  const registry = homeRegistryOf(parts.config());
  const api = createApiHandler({
    rules,
    upstream,
    metadata,
    clock,
    version,
    failed,
    explain: createExplainFor({
      explain: cache.explain,
      authorizer,
      metadata,
      rules,
      home: () => registry,
    }),
    refresh: cache.refresh,
    identifier,
    authorizer,
    visibleRepositories,
    identities,
    policies,
    audit,
    ecrPassword: (caller) => mintEcrPassword(caller, { tokens: ownTokens, clock }),
    registries: parts.config,
    publicUrl: () => parts.config().publicUrl,
    pushes: cache.pushes,
    settings: cache.settings,
    counting: cache.counting,
  });
  const oci = createOciHandler(ociParts(parts, failed));
  return (request) => (request.path.startsWith('/api/') ? api(request) : oci(request));
}

function ociParts(
  { rules, config, cache, metadata, access, clock }: FrontEndParts,
  failed: (error: unknown, requestId: string) => void,
): OciParts {
  const { identifier, authorizer, visibleRepositories, tokens, audit } = access;
  return {
    ...createOperations({
      rules,
      registries: config,
      metadata,
      cache,
      pushes: cache.pushes,
      made: cache.made,
      authorizer,
      audit,
      clock,
    }),
    rules,
    settings: config,
    identifier,
    visibleRepositories,
    tokens,
    failed,
  };
}

function errorReply(error: unknown, request: Incoming, note?: ReplyNote): Reply {
  return request.path.startsWith('/api/')
    ? problemReply(error, request.id)
    : ociErrorReply(error, request, note);
}

/** A body that could not be finished: the client saw its socket close short of the length it was told. */
function brokenBody(log: Log, error: unknown, request: Incoming): void {
  if (request.signal.aborted) return;
  log.warn('a body was cut short', {
    request_id: request.id,
    path: request.path,
    error: describe(error),
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${errorText(error)}` : String(error);
}
