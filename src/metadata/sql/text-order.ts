/** Byte order over text that clients choose; neither database's text holds a NUL, and PostgreSQL refuses one in a parameter. */

/** What comes after the text comes after this, among texts without NUL. */
export function textBefore(text: string): string {
  const nul = text.indexOf('\0');
  return nul < 0 ? text : text.slice(0, nul);
}

/** Comes after every ASCII text that begins with the prefix. */
export function textBeyond(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}
