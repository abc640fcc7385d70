import { parseRange } from '../../domain/byte-range.ts';
import type { RangeRequest } from '../../domain/byte-range.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Incoming } from '../../http/reply.ts';

/** The entity tag of content by digest: strong, since the bytes behind a digest never change. */
export function entityTag(digest: Digest): string {
  return `"${digest}"`;
}

/** If-None-Match: a list, weak tags, `*`, and digests that came without quotes (RFC 9110 §13.1.2). */
export function isUnchanged(request: Incoming, digest: Digest): boolean {
  const header = request.headers['if-none-match'];
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((part) => bareTag(part) === digest);
}

/** The range to send: only of a GET, and only where an If-Range names these very bytes (RFC 9110 §13.1.5, §14.2). */
export function requestedRange(request: Incoming, digest: Digest, size: number): RangeRequest {
  return parseRange(rangeHeader(request, digest), size);
}

/** True for a Range that begins after the first byte; for where the size is not known. */
export function beginsLater(request: Incoming, digest: Digest): boolean {
  const header = rangeHeader(request, digest);
  // Of an unknown size any beginning is within it, so the whole is asked only by a span from 0 or by what is no range.
  const range = parseRange(header, Number.MAX_SAFE_INTEGER);
  return range.kind === 'unsatisfiable' || (range.kind === 'span' && range.span.start > 0);
}

function rangeHeader(request: Incoming, digest: Digest): string | undefined {
  if (request.method !== 'GET') return undefined;
  const { range } = request.headers;
  const condition = request.headers['if-range'];
  if (range === undefined || condition === undefined) return range;
  return String(condition).trim() === entityTag(digest) ? range : undefined;
}

function bareTag(part: string): string {
  const tag = part.trim().replace(/^W\//, '');
  return tag.startsWith('"') && tag.endsWith('"') ? tag.slice(1, -1) : tag;
}
