import type { JsonObject } from '../../domain/json.ts';
import { isObject, parseJsonObject } from '../../domain/json.ts';
import { unusable } from '../../domain/upstream-failure.ts';
import type { Place } from '../asking.ts';
import { readDecoded } from './content-coding.ts';
import type { Answer } from '../wire/exchange.ts';
import { isHtml } from '../statuses.ts';

/**
 * A JSON object of bounded size, and how many bytes it took. Throws an `invalid` failure for anything else, and what `taken` throws,
 * which is called with the bytes as they come.
 */
export async function readObject(
  answer: Answer,
  bytesMax: number,
  asked: string,
  upstream: string,
  taken: (bytes: number) => void,
): Promise<{ readonly fields: JsonObject; readonly bytes: number }> {
  const bytes = await readDecoded(answer, bytesMax, upstream, taken);
  const fields = parseJsonObject(Buffer.from(bytes).toString('utf8'));
  if (!isObject(fields)) {
    const reason = isHtml(answer) ? 'html' : 'badJson';
    throw unusable(`${asked}: the answer is no JSON object`, reason, upstream, answer.status);
  }
  return { fields, bytes: bytes.length };
}

/** Where the next page of an answer from `place` is: at the origin that answered. */
export function nextPlaceOf(answer: Answer, { url, own }: Place): Place | undefined {
  const path = nextPathOf(answer, url.href);
  return path === undefined ? undefined : { url: new URL(url.origin + path), own };
}

/**
 * The path and query of the next page at the origin that was asked. Where a redirect was followed, and the next page is of the
 * same path there, the redirect is followed again with the new query.
 */
export function nextOwnPathOf(answer: Answer, asked: Place, answered: Place): string | undefined {
  const path = nextPathOf(answer, answered.url.href);
  const { pathname } = answered.url;
  return path?.startsWith(`${pathname}?`) === true
    ? asked.url.pathname + path.slice(pathname.length)
    : path;
}

/** The target of `Link: <…>; rel="next"`; `undefined`: no next page (distribution-spec, "Listing Tags"). */
function nextLinkOf(answer: Answer): string | undefined {
  const value = answer.headers['link'];
  const text = (Array.isArray(value) ? value : [value ?? '']).join(', ').slice(0, 16_384);
  for (const found of text.matchAll(/<([^<>]*)>([^<]*)/g)) {
    if (/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\b)/i.test(found[2] ?? ''))
      return found[1];
  }
  return undefined;
}

/**
 * The path and query that `Link` leads to from the page at `asked`, wherever it says they are: behind a proxy registries name
 * hosts and ports of their own, and a credential goes to the origin that was asked alone.
 */
function nextPathOf(answer: Answer, asked: string): string | undefined {
  const link = nextLinkOf(answer);
  const next = link === undefined ? null : URL.parse(link, asked);
  // Two slashes in front would be a host.
  return next === null ? undefined : next.pathname.replace(/^\/+/, '/') + next.search;
}
