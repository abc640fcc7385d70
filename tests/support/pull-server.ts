import type { Credentials } from '../../src/access/credentials.ts';
import {
  createHubMirrorHandler,
  createOciHandler,
  ociErrorReply,
} from '../../src/api/oci/handler.ts';
import { builtinRules, ruleDefaults } from '../../src/domain/builtin-rules.ts';
import type { PullRule } from '../../src/domain/pull-rule.ts';
import { createRuleSet } from '../../src/domain/rule-set.ts';
import type { RuleSet } from '../../src/domain/rule-set.ts';
import { createReadBuffers } from '../../src/http/buffers.ts';
import type { Served } from '../../src/http/reply.ts';
import { createServer } from '../../src/http/server.ts';
import type { StoredRepository } from '../../src/metadata/metadata.ts';
import { createFakeCache } from './fake-cache.ts';
import type { FakeCache } from './fake-cache.ts';
import { createFakeClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';
import { exchange } from './http-exchange.ts';
import type { HttpAnswer, HttpQuestion } from './http-exchange.ts';

/** The registry API over real HTTP on loopback, with a fake cache behind it. */
export interface PullServer extends AsyncDisposable {
  readonly port: number;
  readonly cache: FakeCache;
  readonly clock: FakeClock;
  readonly served: Served[];
  readonly failures: unknown[];
  /** Rows that the gate looks up, by local repository name. */
  readonly repositories: Map<string, StoredRepository>;
  rules: RuleSet;
  ask(path: string, question?: HttpQuestion): Promise<HttpAnswer>;
}

export const administrator: Credentials = {
  accessKeyId: 'AKIAEXAMPLE',
  secretAccessKey: 'secret',
  region: 'us-east-1',
  endpointUrl: '',
  file: '',
};

export const administratorHeader: string = `Basic ${Buffer.from('AKIAEXAMPLE:secret').toString('base64')}`;

/** A rule of a file for a host, changed as given. */
export function ruleFor(prefix: string, host: string, change: Partial<PullRule> = {}): PullRule {
  return {
    ...ruleDefaults,
    prefix,
    origin: 'file',
    urls: [{ origin: `https://${host}`, host, plain: false }],
    upstreamHost: host,
    ...change,
  };
}

export const credentialed: Partial<PullRule> = {
  credential: { name: 'c', username: 'u', accessToken: 't' },
  anonymousPull: false,
};

export async function startPullServer(
  rules: readonly PullRule[] = builtinRules,
  listener: 'main' | 'hub' = 'main',
): Promise<PullServer> {
  const cache = createFakeCache();
  const clock = createFakeClock();
  const served: Served[] = [];
  const failures: unknown[] = [];
  const repositories = new Map<string, StoredRepository>();
  const create = listener === 'main' ? createOciHandler : createHubMirrorHandler;
  const handler = create({
    rules: () => server.rules,
    cache,
    metadata: { findRepository: async ({ repository }) => repositories.get(repository) },
    credentials: administrator,
    clock,
    failed: (error) => failures.push(error),
  });
  const running = await createServer({
    handler,
    listen: { host: '127.0.0.1', port: 0 },
    connectionsMax: 100,
    buffers: createReadBuffers(4 * 1024 * 1024),
    timer: clock,
    onServed: (each) => served.push(each),
    onError: (error) => failures.push(error),
    replyTo: ociErrorReply,
  });
  const server: PullServer = {
    port: running.port,
    cache,
    clock,
    served,
    failures,
    repositories,
    rules: createRuleSet(rules),
    ask: (path, question) => exchange(running.port, path, question),
    [Symbol.asyncDispose]: () => running.cut(),
  };
  return server;
}
