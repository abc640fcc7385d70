import type { RuleSet } from '../../domain/rule-set.ts';
import type { Reply } from '../../http/reply.ts';
import { apiVersionHeader, basicChallenge, localStatus } from './errors.ts';

/**
 * `/v2/`: 200 to whoever may ask. Where a rule needs a credential the challenge is there beside it: clients that log in only when
 * the base says how (skopeo, podman) then send what they have.
 */
export function baseReply(rules: RuleSet, ns: string | undefined, challenges: boolean): Reply {
  const headers: Record<string, string> = {
    ...apiVersionHeader,
    'Content-Type': 'application/json',
    'Cache-Status': localStatus('base'),
  };
  if (
    challenges &&
    rules.rules.some((rule) => rule.credential !== undefined && !rule.anonymousPull)
  ) {
    headers['WWW-Authenticate'] = basicChallenge;
  }
  return {
    status: 200,
    headers,
    body: '{}',
    note: { route: 'base', ...(ns === undefined ? {} : { ns }) },
  };
}

/** `/`: what this is, for a person who opened it. */
export function homeReply(): Reply {
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'Cache-Status': localStatus('home'),
      'X-Content-Type-Options': 'nosniff',
    },
    body: 'Breakwater: a registry between your clusters and the public ones. The registry API is at /v2/.\n',
    note: { route: 'none' },
  };
}
