import type { Caller } from '../../access/access.ts';
import { actions } from '../../domain/access-action.ts';
import type { RegistryKey } from '../../domain/registry.ts';
import type { RepositoryName } from '../../domain/repository-name.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import type { Metadata } from '../../metadata/metadata.ts';
import { apiVersionHeader, localStatus } from './errors.ts';
import type { Gate } from './gate.ts';
import { formatRoute } from './route.ts';

const pageDefault = 1000;
const rowsPerRead = 1000;
/** Rows looked at for one page; a caller who may see few of very many gets a short page with a `Link` onwards. */
const rowsMax = 20_000;

/** `_catalog`: the repositories that the caller may see, in byte order; nothing upstream is asked or named (traps T18). */
export async function catalogReply(
  parts: { readonly metadata: Pick<Metadata, 'listRepositories'>; readonly gate: Gate },
  asked: {
    readonly registry: RegistryKey;
    readonly n: number | undefined;
    readonly last: string;
  },
  caller: Caller,
  request: Incoming,
): Promise<Reply> {
  const n = asked.n ?? pageDefault;
  const names: RepositoryName[] = [];
  let after = asked.last;
  let more = n > 0;
  for (let looked = 0; more && looked < rowsMax && names.length < n; looked += rowsPerRead) {
    const rows = await parts.metadata.listRepositories(asked.registry, {
      prefix: '',
      after,
      limit: rowsPerRead,
    });
    more = rows.length === rowsPerRead;
    for (const { name } of rows) {
      if (names.length === n) {
        more = true;
        break;
      }
      after = name;
      const { registry } = asked;
      const source = { registry, repository: name };
      if (await parts.gate.mayRead(source, actions.listRepositories, caller, request))
        names.push(name);
    }
  }
  const headers: Record<string, string> = {
    ...apiVersionHeader,
    'Content-Type': 'application/json',
    'Cache-Status': localStatus('catalog'),
    'X-Content-Type-Options': 'nosniff',
  };
  if (more) headers['Link'] = `<${formatRoute({ kind: 'catalog', n, last: after })}>; rel="next"`;
  return {
    status: 200,
    headers,
    body: `${JSON.stringify({ repositories: names })}\n`,
    note: { route: 'catalog' },
  };
}
