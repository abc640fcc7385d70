import type { Reply } from '../../http/reply.ts';
import { apiVersionHeader, localStatus } from './errors.ts';

/** `/v2/`: 200 to whoever has shown who they are (distribution-spec, "Determining Support"). */
export function baseReply(ns: string | undefined): Reply {
  return {
    status: 200,
    headers: {
      ...apiVersionHeader,
      'Content-Type': 'application/json',
      'Cache-Status': localStatus('base'),
    },
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
