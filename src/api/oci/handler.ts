import type { Credentials } from '../../access/credentials.ts';
import type { Cache } from '../../cache/cache.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { RuleSet } from '../../domain/rule-set.ts';
import type { Handler, Incoming, Reply } from '../../http/reply.ts';
import type { Metadata } from '../../metadata/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import { baseReply, homeReply } from './base.ts';
import { pullBlob } from './blobs.ts';
import { errorReply } from './errors.ts';
import { createGate } from './gate.ts';
import type { Gate } from './gate.ts';
import { pullManifest } from './manifests.ts';
import { createPlanner, isPull } from './plan.ts';
import type { Plan, Planner, PullPlan } from './plan.ts';
import { listReferrers } from './referrers.ts';
import { listTags } from './tags.ts';
import { requireAllowed } from './target.ts';
import type { Listener } from './target.ts';

export interface OciParts {
  /** The rules in force; a new object after each reload. */
  readonly rules: () => RuleSet;
  readonly cache: Cache;
  readonly metadata: Pick<Metadata, 'findRepository'>;
  readonly credentials: Credentials;
  readonly clock: Clock;
  /** Told of what was answered as an internal error. */
  readonly failed: (error: unknown, requestId: string) => void;
}

/** The registry API of the main listener; every step of it stands in docs/request-handling.md. Never throws. */
export function createOciHandler(parts: OciParts): Handler {
  return createPullHandler(parts, 'main');
}

/** Docker Hub at the root for Docker's `registry-mirrors`: anonymous, and nothing but Docker Hub. Never throws. */
export function createHubMirrorHandler(parts: OciParts): Handler {
  return createPullHandler(parts, 'hub');
}

/** The reply to what broke before a body's first byte, for the server's `replyTo`. */
export function ociErrorReply(error: unknown, request: Incoming): Reply {
  return errorReply(error, request.id);
}

function createPullHandler(parts: OciParts, listener: Listener): Handler {
  const planner = createPlanner(parts.rules, listener);
  const gate = createGate({ ...parts, listener });
  return async (request) => {
    let plan: Plan | undefined;
    try {
      plan = readRequest(request, planner);
      if (isPull(plan)) return await answerPull(parts.cache, gate, plan, request);
      if (plan.route.kind === 'home') return homeReply();
      const who = gate.identify(request, plan.route.ns !== undefined);
      return baseReply(parts.rules(), plan.route.ns, listener === 'main' && who === 'anonymous');
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code === 'internal')
        parts.failed(error, request.id);
      return refusal(error, request, plan);
    }
  };
}

function readRequest(request: Incoming, planner: Planner): Plan {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    throw new RegistryError('unsupported', 'this registry is pulled from: GET and HEAD', {
      detail: { method: request.method.slice(0, 32) },
    });
  }
  return planner(request);
}

async function answerPull(
  cache: Cache,
  gate: Gate,
  plan: PullPlan,
  request: Incoming,
): Promise<Reply> {
  const { route, target, note } = plan;
  const who = gate.identify(request, route.ns !== undefined);
  const waits = gate.admit(target, who);
  if (waits !== undefined) await waits;
  requireAllowed(route, target);
  switch (route.kind) {
    case 'manifest':
      return pullManifest(cache, { route, target, note }, request);
    case 'blob':
      return pullBlob(cache, { route, target, note }, request);
    case 'tags':
      return listTags(cache, { route, target, note }, request);
    case 'referrers':
      return listReferrers(cache, { route, target, note }, request);
  }
}

function refusal(error: unknown, request: Incoming, plan: Plan | undefined): Reply {
  if (plan === undefined || !isPull(plan)) return errorReply(error, request.id);
  const reply = errorReply(error, request.id, plan.note);
  const { ns } = plan.route;
  return ns === undefined
    ? reply
    : { ...reply, headers: { ...reply.headers, 'OCI-Namespace': ns } };
}
