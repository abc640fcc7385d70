import type { Asker } from '../../access/access.ts';
import type { VisiblePage } from '../../access/authorize/visible-repositories.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { isMisdirected } from '../../http/loopback.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import type { Repositories } from '../../operations/repositories.ts';
import { apiVersionHeader, localStatus } from './errors.ts';
import { formatRoute } from './route.ts';

const pageDefault = 1000;
/** A client that asks for more gets the rest by `Link`. */
const pageMax = 1000;

/**
 * `_catalog`: the repositories that the caller may see, in byte order; nothing upstream is asked or named (traps T18). A page may
 * be short, even empty, and still have a `Link`: what is hidden is passed over, and neither counted nor named.
 */
export async function catalogReply(
  repositories: Pick<Repositories, 'visible'>,
  asked: {
    readonly registry: RegistryKey;
    readonly n: number | undefined;
    readonly last: string;
  },
  asker: Asker,
  request: Incoming,
): Promise<Reply> {
  const { registry, last } = asked;
  if (asker.caller.principal.kind === 'anonymous' && isMisdirected(request))
    throw new RegistryError('denied', 'anonymous lists by a name of this server alone', {
      detail: { fix: 'ask for localhost, or set publicUrl or trustedProxies' },
    });
  const n = Math.min(asked.n ?? pageDefault, pageMax);
  const { rows, next } =
    n === 0
      ? nothing
      : await repositories.visible(
          asker,
          { registry, prefix: '', after: last, limit: n },
          [actions.listRepositories],
          request.signal,
        );
  const headers: Record<string, string> = {
    ...apiVersionHeader,
    'Content-Type': 'application/json',
    'Cache-Status': localStatus('catalog'),
    'X-Content-Type-Options': 'nosniff',
  };
  if (next !== undefined)
    headers['Link'] = `<${formatRoute({ kind: 'catalog', n, last: next })}>; rel="next"`;
  return {
    status: 200,
    headers,
    body: `${JSON.stringify({ repositories: rows.map(({ name }) => name) })}\n`,
    note: { route: 'catalog' },
  };
}

const nothing: VisiblePage = { rows: [], next: undefined };
