// The registry and /api/v1 over real HTTP for a scene's callers, each said by a header.
import { anonymousCaller } from '../../../src/access/access.ts';
import type { Caller, Identifier } from '../../../src/access/access.ts';
import { createAuthorizer } from '../../../src/access/authorize/authorizer.ts';
import { createVisibleRepositories } from '../../../src/access/authorize/visible-repositories.ts';
import { createApiHandler } from '../../../src/api/v1/v1.ts';
import { createOciHandler, ociErrorReply } from '../../../src/api/oci/handler.ts';
import type { Principal } from '../../../src/domain/policy/principal.ts';
import type { PullRule } from '../../../src/domain/rules/pull-rule.ts';
import { createRuleSet } from '../../../src/domain/rules/rule-set.ts';
import { createBodyBuffers } from '../../../src/http/bodies/body-buffers.ts';
import type { Handler } from '../../../src/http/reply.ts';
import { createServer } from '../../../src/http/server.ts';
import { createOperations } from '../../../src/operations/operations.ts';
import type { CacheRig } from './cache-rig.ts';
import { bookOfHome, rulesOfHome } from './home-rules.ts';
import { exchange } from '../clients/http-exchange.ts';
import type { HttpAnswer, HttpQuestion } from '../clients/http-exchange.ts';

export const callerNames = [
  'nobody',
  'local',
  'importer',
  'denied',
  'other account',
  'operator',
] as const;
export type CallerName = (typeof callerNames)[number];

/** An image's name begins with it where this server's own is meant. */
export const ownHost = 'here.test:5000';

const account = '000000000000';

export interface PrivateFront {
  ask(caller: CallerName, path: string, question?: HttpQuestion): Promise<HttpAnswer>;
  readonly failures: unknown[];
  close(): Promise<void>;
}

/** `held`: repositories that the caller `denied` may not see. */
export async function servePrivately(
  rig: CacheRig,
  inForce: readonly PullRule[],
  held: readonly string[],
): Promise<PrivateFront> {
  const failures: unknown[] = [];
  const audit = { record: (): void => {} };
  const { metadata, clock, cache, upstream } = rig;
  const settings = {
    registryId: account,
    regions: ['us-east-1'],
    anonymousPull: true,
    anonymousImport: 'loopback' as boolean | 'loopback',
    publicUrl: '',
  };
  const none = (): never => {
    throw new Error('nobody asks for this here');
  };
  const set = createRuleSet(inForce);
  const rules = rulesOfHome(() => set);
  const authorizer = createAuthorizer({
    metadata: {
      repositories: metadata.repositories,
      managedPolicies: { listAttachedPolicies: async () => [] },
      identities: {
        findRegistryPolicy: async () => undefined,
        listIdentityPolicies: async (_account, principal) => policiesOf(principal, held),
      },
    },
    settings: () => settings,
    clock,
    audit,
    invalidations: rig.invalidations,
  });
  const identifier: Pick<Identifier, 'identify'> = { identify: (header) => callerOf(header) };
  const sealing = {
    seal: (text: string) => Buffer.from(text).toString('base64url'),
    open: (text: string) => Buffer.from(text, 'base64url').toString(),
  };
  const visibleRepositories = createVisibleRepositories({ metadata, sealing, clock });
  const shared = { rules, metadata, authorizer, visibleRepositories, audit, clock };
  const failed = (error: unknown): void => void failures.push(error);
  const operations = createOperations({
    ...shared,
    registries: () => settings,
    book: bookOfHome(inForce),
    secrets: none as never,
    fileSecrets: none as never,
    upstreams: () => 'public',
    invalidations: rig.invalidations,
    cache,
    pushes: cache.pushes,
    made: cache.made,
    counting: cache.counting,
    upstream,
    accounts: none as never,
    webIdentities: none as never,
    markOwnKey: none as never,
    roles: none as never,
    storedPolicies: none as never,
    managedPolicies: none as never,
    lifecycleGrammar: none,
    sealing,
    serverKeys: none as never,
    downloadTokens: none as never,
    ecrPassword: none,
    explain: cache.explain,
    refresh: none,
  });
  const oci = createOciHandler({
    ...operations,
    rules: { of: rules, stamp: set },
    identifier,
    settings: () => settings,
    tokens: { issueToken: none },
    failed,
  });
  const api = createApiHandler({
    ...operations,
    identifier,
    publicUrl: () => '',
    version: { version: '0', node: '0' },
    failed,
  });
  const handler: Handler = (request) =>
    request.path.startsWith('/api/') ? api(request) : oci(request);
  const server = await createServer({
    handler,
    listen: { host: '127.0.0.1', port: 0 },
    connectionsMax: 100,
    buffers: createBodyBuffers(4 * 1024 * 1024, clock),
    timer: clock,
    onServed: () => {},
    onError: () => {},
    replyTo: ociErrorReply,
  });
  return {
    failures,
    ask: (caller, path, question = {}) => {
      settings.anonymousImport = caller === 'nobody' ? false : 'loopback';
      const known = caller !== 'nobody' && caller !== 'local';
      const authorization = known ? { authorization: `Basic ${caller}` } : {};
      return exchange(server.port, path, {
        ...question,
        headers: { ...authorization, ...question.headers },
      });
    },
    close: async () => {
      await server.cut();
    },
  };
}

function callerOf(header: string | undefined): Caller {
  const name = header?.replace('Basic ', '');
  if (name === undefined) return anonymousCaller;
  const principal: Principal =
    name === 'other account'
      ? { kind: 'administrator', account: '111111111111' }
      : name === 'operator'
        ? { kind: 'administrator', account }
        : { kind: 'user', account, name };
  return { principal, via: 'key', scopes: undefined };
}

function policiesOf(principal: string, held: readonly string[]) {
  const allow = { Effect: 'Allow', Action: 'ecr:*', Resource: '*' };
  const hidden = [...held, 'mine/importer'];
  const deny = {
    Effect: 'Deny',
    Action: 'ecr:*',
    Resource: hidden.map((name) => `arn:aws:ecr:us-east-1:${account}:repository/${name}`),
  };
  const Statement = principal === 'denied' ? [allow, deny] : [allow];
  const text = JSON.stringify({ Version: '2012-10-17', Statement });
  return [{ account, principal, name: 'inline', text, updatedAt: 0 }];
}
