import { dockerHub } from '../names/host-name.ts';
import type { PullRule } from './pull-rule.ts';

/** What a rule is where its author says nothing. */
export const ruleDefaults: Omit<PullRule, 'prefix' | 'origin' | 'urls' | 'upstreamHost'> = {
  upstreamPrefix: '',
  credential: undefined,
  anonymousPull: true,
  freshForMs: 24 * 60 * 60 * 1000,
  staleBudgetMs: 800,
  onFailure: {
    notFound: 'keep',
    denied: 'keep',
    rateLimited: 'keep',
    serverError: 'keep',
    timeout: 'keep',
    network: 'keep',
  },
  platforms: 'requested',
  push: false,
  allow: [],
  deny: [],
  allowHosts: [],
  ca: undefined,
  clientCert: undefined,
  maxConnections: 16,
};

/** Docker Hub's registry answers at another host than the one its images are named by. */
export const dockerHubRegistry = 'registry-1.docker.io';

const hosts = [
  dockerHub,
  'registry.k8s.io',
  'quay.io',
  'ghcr.io',
  'public.ecr.aws',
  'gcr.io',
  'registry.gitlab.com',
  'mcr.microsoft.com',
  'cgr.dev',
];

/** The rules that need no configuration. */
export const builtinRules: readonly PullRule[] = hosts.map((prefix) => {
  const host = prefix === dockerHub ? dockerHubRegistry : prefix;
  return {
    ...ruleDefaults,
    prefix,
    origin: 'builtin',
    urls: [{ origin: `https://${host}`, host, plain: false }],
    upstreamHost: prefix,
  };
});

/** An operator's rules, then the built-in ones whose prefix none of them takes. */
export function overBuiltinRules(own: readonly PullRule[]): readonly PullRule[] {
  const taken = new Set(own.map((rule) => rule.prefix));
  return [...own, ...builtinRules.filter((rule) => !taken.has(rule.prefix))];
}
