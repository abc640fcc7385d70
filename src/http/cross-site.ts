import type { Incoming } from './reply.ts';

/**
 * Why a browser's request comes from a page that is not this server's, or `undefined`: it would carry the password that the browser
 * keeps for this host. `Sec-Fetch-Site` says it, which no page can forge; over plain http browsers leave it out, and `Origin` has to do.
 * Clients of registries send neither. `publicUrl` may be empty.
 */
export function crossSiteReason(
  { headers, host }: Pick<Incoming, 'headers' | 'host'>,
  publicUrl: string,
): string | undefined {
  const site = headers['sec-fetch-site'];
  if (site !== undefined)
    return site === 'same-origin' || site === 'none' ? undefined : `sec-fetch-site: ${site}`;
  const { origin } = headers;
  if (origin === undefined) return undefined;
  const page = URL.parse(origin);
  // A scheme may be changed on the way by a proxy that is not trusted to say so; host and port are what names this server.
  const own =
    page !== null && [host, URL.parse(publicUrl)?.host].some((each) => isHost(page, each));
  return own ? undefined : `origin: ${origin.slice(0, 256)}`;
}

function isHost(page: URL, host: string | undefined): boolean {
  if (host === undefined || page.host === '') return false;
  return URL.parse(`${page.protocol}//${host}`)?.host === page.host;
}
