import { readFile } from 'node:fs/promises';
import { errorText } from '../domain/error-text.ts';
import type { AccessControl } from './access-control.ts';
import { mintEcrPassword } from '../access/identify/registry-tokens.ts';
import { createExplainFor } from '../operations/explain-callers.ts';
import { createHealthHandler } from '../api/health/health.ts';
import type { HealthCheck } from '../api/health/health.ts';
import { awsErrorReply, createAwsHandler } from '../api/aws/handler.ts';
import { createPageTokens } from '../api/aws/page-tokens.ts';
import { isAwsRequest } from '../api/aws/routing.ts';
import { ecrService } from '../api/ecr/ecr.ts';
import { iamService } from '../api/iam/iam.ts';
import { secretsService } from '../api/secrets/secrets.ts';
import { stsService } from '../api/sts/sts.ts';
import { createApiHandler } from '../api/v1/v1.ts';
import { problemReply } from '../api/v1/problem.ts';
import {
  createHubMirrorHandler,
  createLayerDownloadHandler,
  createOciHandler,
  ociErrorReply,
} from '../api/oci/handler.ts';
import type { RunningCache } from '../cache/create-cache.ts';
import type { Config, ListenAddress } from '../config/config.ts';
import type { VersionView } from '../contract/admin-view.ts';
import { homeRegistryOf } from '../domain/names/registry.ts';
import { isLayerDownload } from '../domain/names/registry-url.ts';
import { createBodyBuffers } from '../http/bodies/body-buffers.ts';
import type { ClientRules } from '../http/client.ts';
import { isLoopbackAddress } from '../domain/names/ip-address.ts';
import type { ReplyNote } from '../domain/served.ts';
import type { Handler, Incoming, Reply } from '../http/reply.ts';
import { createServer } from '../http/server.ts';
import type { HttpServerOptions, RunningServer } from '../http/server.ts';
import { createWholeBodies } from '../http/bodies/whole-bodies.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { KeyStore } from '../access/secrets/key-store.ts';
import type { KeyRotation } from '../operations/keys/key-rotation.ts';
import { createOperations } from '../operations/operations.ts';
import type { Operations } from '../operations/operations.ts';
import type { RepeatedCalls } from '../operations/repeated-calls.ts';
import type { Clock } from '../ports/clock.ts';
import type { Invalidations } from '../ports/invalidations.ts';
import type { Upstream } from '../ports/upstream.ts';
import type { ServerRules } from './rules.ts';
import { createRefusalLog } from './notices/refused-connections.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

const readBufferBudgetBytes = 48 * 1024 * 1024;
const adminConnectionsMax = 100;

export interface FrontEndParts {
  readonly config: () => Config;
  readonly rules: ServerRules;
  readonly cache: RunningCache;
  readonly metadata: Metadata;
  readonly upstream: Upstream;
  readonly invalidations: Invalidations;
  readonly access: AccessControl;
  readonly repeatedCalls: RepeatedCalls;
  readonly keys: KeyStore;
  readonly keyRotation: KeyRotation;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: VersionView;
  readonly telemetry: Pick<Telemetry, 'served'>;
  readonly metrics: Pick<Metrics, 'contentType' | 'scrape'>;
  readonly ready: readonly HealthCheck[];
}

/** The listeners of one server; all of them speak before any is announced. */
export interface Listeners {
  readonly main: RunningServer;
  readonly hub: RunningServer | undefined;
  readonly admin: RunningServer;
}

/** Opens the listeners in the order that probes expect: admin first, so that a start can be watched. */
export async function openListeners(parts: FrontEndParts): Promise<Listeners> {
  const config = parts.config();
  const opened: RunningServer[] = [];
  const open = listenerOpener(parts, opened);
  const handlers = handlersOf(parts, (error, requestId) =>
    parts.log.error('a request failed', { request_id: requestId, error: describe(error) }),
  );
  const tls = config.tls && {
    cert: await readFile(config.tls.certFile, 'utf8'),
    key: await readFile(config.tls.keyFile, 'utf8'),
  };
  const listening = { now: false };
  try {
    const admin = await open('adminListen', healthHandler(parts, listening), config.adminListen, {
      connectionsMax: adminConnectionsMax,
      onServed: () => {},
    });
    const watched = watchProxies(parts);
    const main = await open('listen', watched(handlers.main), config.listen, tls && { tls });
    const { hubMirrorListen } = config;
    const hub =
      hubMirrorListen === undefined
        ? undefined
        : await open('hubMirrorListen', watched(handlers.hub), hubMirrorListen);
    listening.now = true;
    return { main, admin, hub };
  } catch (error) {
    await Promise.all(opened.map((server) => server.cut()));
    throw error;
  }
}

type OpenListener = (
  setting: string,
  handler: Handler,
  listen: ListenAddress,
  extra?: Partial<HttpServerOptions>,
) => Promise<RunningServer>;

/** Opens listeners that share their memory; each is put into `opened`. */
function listenerOpener(parts: FrontEndParts, opened: RunningServer[]): OpenListener {
  const { clock, log, telemetry } = parts;
  const buffers = createBodyBuffers(readBufferBudgetBytes, clock);
  const wholeBodies = createWholeBodies(clock);
  const tellRefused = createRefusalLog(log, clock);
  return async (setting, handler, listen, extra) => {
    try {
      const server = await createServer({
        handler,
        listen,
        connectionsMax: parts.config().limits.connectionsMax,
        buffers,
        wholeBodies,
        timer: clock,
        clients: clientRulesOf(parts),
        onServed: (served) => telemetry.served(served),
        onRefused: (refused) => tellRefused(setting, refused),
        onError: (error, request) => brokenBody(log, error, request),
        replyTo: errorReply,
        ...extra,
      });
      opened.push(server);
      return server;
    } catch (error) {
      throw cannotListen(setting, listen, error);
    }
  };
}

function healthHandler(
  { ready, metrics, clock }: FrontEndParts,
  listening: { readonly now: boolean },
): Handler {
  const started: HealthCheck = {
    name: 'listening',
    check: () => {
      if (!listening.now) throw new Error('the registry does not listen yet');
    },
  };
  return createHealthHandler({
    live: [],
    ready: [started, ...ready],
    startup: [started],
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.scrape() }),
    clock,
  });
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

/** `main`: the registry, and `/api/v1` beside it on the same listener. */
function handlersOf(
  parts: FrontEndParts,
  failed: (error: unknown, requestId: string) => void,
): { readonly main: Handler; readonly hub: Handler } {
  const { config, rules, version } = parts;
  const { identifier, tokens } = parts.access;
  const operations = operationsOf(parts);
  const oci = {
    ...operations,
    rules: rules.book.inForce,
    settings: config,
    identifier,
    tokens,
    failed,
  };
  const publicUrl = (): string => config().publicUrl;
  const api = createApiHandler({ ...operations, identifier, publicUrl, version, failed });
  const registry = createOciHandler(oci);
  const layerDownloads = createLayerDownloadHandler(oci);
  const aws = awsHandlerOf(parts, operations, failed);
  return {
    main: (request) => {
      const { path } = request;
      if (path.startsWith('/v2/')) return registry(request);
      if (path.startsWith('/api/')) return api(request);
      if (isLayerDownload(path)) return layerDownloads(request);
      return isAwsRequest(request) ? aws(request) : registry(request);
    },
    hub: createHubMirrorHandler(oci),
  };
}

/** The AWS APIs beside the registry, on the same listener. */
function awsHandlerOf(
  { access, config, repeatedCalls }: FrontEndParts,
  operations: Operations,
  failed: (error: unknown, requestId: string) => void,
): Handler {
  const publicUrl = (): string => config().publicUrl;
  const pages = createPageTokens(access.sealing);
  return createAwsHandler({
    services: [
      ecrService({ ...operations, pages, publicUrl }),
      secretsService({ ...operations, pages }),
      stsService(operations),
      iamService({ ...operations, pages }),
    ],
    signatures: access.signatures,
    admission: operations.admission,
    repeatedCalls,
    home: () => homeRegistryOf(config()),
    publicUrl,
    failed,
  });
}

/** What front-ends ask for, of this server's access and cache. */
function operationsOf(parts: FrontEndParts): Operations {
  const { rules, metadata, upstream, clock, cache, access, invalidations } = parts;
  const { authorizer, visibleRepositories, audit } = access;
  const registry = homeRegistryOf(parts.config());
  return createOperations({
    ...rules,
    rules: rules.book.inForce.of,
    upstreams: () => parts.config().apiUpstreams,
    invalidations,
    registries: parts.config,
    serverKeys: {
      keys: parts.keys,
      rotation: parts.keyRotation,
      settings: () => parts.config().keys,
    },
    metadata,
    upstream,
    clock,
    authorizer,
    visibleRepositories,
    audit,
    cache,
    pushes: cache.pushes,
    counting: cache.counting,
    made: cache.made,
    explain: createExplainFor({
      explain: cache.explain,
      authorizer,
      metadata,
      rules: rules.book.inForce.of,
      home: () => registry,
    }),
    refresh: cache.refresh,
    accounts: access.identities,
    roles: access.roles,
    webIdentities: access.webIdentities,
    markOwnKey: access.markOwnKey,
    storedPolicies: access.policies,
    managedPolicies: access.managedPolicies,
    lifecycleGrammar: () => parts.config().lifecycle,
    sealing: access.sealing,
    downloadTokens: access.downloadTokens,
    ecrPassword: (caller) => mintEcrPassword(caller, { tokens: access.ownTokens, clock }),
  });
}

function errorReply(error: unknown, request: Incoming, note?: ReplyNote): Reply {
  const { path } = request;
  if (path.startsWith('/api/')) return problemReply(error, request.id);
  if (!path.startsWith('/v2/') && isAwsRequest(request)) return awsErrorReply(error, request);
  return ociErrorReply(error, request, note);
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
