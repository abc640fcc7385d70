// What AWS Signature Version 4 signs, byte for byte: a signer and a verifier that differ in one of them never agree.
// Texts are of characters that are bytes (latin1), as the wire has them.

/** Both as the canonical query has them: percent-encoded by RFC 3986. */
export interface QueryParameter {
  readonly name: string;
  readonly value: string;
}

/** The lines of each header under its name in lower case, in the order in which they came. */
export type HeaderLines = ReadonlyMap<string, readonly string[]>;

export function readHeaderLines(rawHeaders: readonly string[]): HeaderLines {
  const lines = new Map<string, string[]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const value = rawHeaders[at + 1] ?? '';
    const known = lines.get(name);
    if (known === undefined) lines.set(name, [value]);
    else known.push(value);
  }
  return lines;
}

/**
 * Each `name=value` of a query, in its order; without `=` the value is empty. A `+` stays what it is: clients sign a space as
 * `%20`, and readers of forms take both for one.
 */
export function readQuery(query: string): QueryParameter[] {
  if (query === '') return [];
  return query.split('&').map((pair) => {
    const equals = pair.indexOf('=');
    return equals < 0
      ? { name: encoded(pair), value: '' }
      : { name: encoded(pair.slice(0, equals)), value: encoded(pair.slice(equals + 1)) };
  });
}

/** Sorted by name, then by value. */
export function canonicalQuery(parameters: readonly QueryParameter[]): string {
  if (parameters.length === 0) return '';
  return parameters
    .toSorted((a, b) => order(a.name, b.name) || order(a.value, b.value))
    .map(({ name, value }) => `${name}=${value}`)
    .join('&');
}

/**
 * As every service but S3 has it: without empty, `.` and `..` segments (RFC 3986 §5.2.4), and encoded once more than the
 * client has done.
 */
export function canonicalPath(path: string): string {
  if (path === '/' || path === '') return '/';
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment.replaceAll(reserved, percent));
  }
  const end = kept.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${kept.join('/')}${end}`;
}

/** One line a header, in the order of `names`; `undefined`: it is not there. */
export function canonicalHeader(lines: HeaderLines, name: string): string | undefined {
  const values = lines.get(name);
  if (values === undefined) return undefined;
  const [first = ''] = values;
  return `${name}:${values.length === 1 ? collapsed(first) : values.map(collapsed).join(',')}\n`;
}

/** Trimmed, and each run of blanks inside one space. */
function collapsed(value: string): string {
  if (!/^[ \t]|[ \t]{2}|\t|[ \t]$/.test(value)) return value;
  return value.replaceAll(/[ \t]+/g, ' ').replaceAll(/^ | $/g, '');
}

const reserved = /[^A-Za-z0-9_.~-]/g;

/** Percent-encoded by RFC 3986, whichever of its characters the client had encoded. */
function encoded(text: string): string {
  if (/^[A-Za-z0-9_.~-]*$/.test(text)) return text;
  return text.replaceAll(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9_.~+-]/g, (piece) => {
    if (piece.length === 1) return percent(piece);
    const character = String.fromCharCode(Number.parseInt(piece.slice(1), 16));
    return /[A-Za-z0-9_.~-]/.test(character) ? character : piece.toUpperCase();
  });
}

function percent(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
