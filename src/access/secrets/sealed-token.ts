import type { Sealing } from './key-store.ts';

/** A text that clients carry for the server and can neither read nor change: base64url, good as that of `owner` alone. */
export function sealToken(sealing: Sealing, text: string, owner: string): string {
  return Buffer.from(sealing.seal(text, owner)).toString('base64url');
}

/** What a token holds; `undefined` for what is no token of that owner's, and for what is longer than any of them. */
export function openToken(
  sealing: Sealing,
  token: string,
  owner: string,
  charactersMax: number,
): string | undefined {
  if (token.length > charactersMax) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  // Other texts are read as the same bytes.
  if (bytes.toString('base64url') !== token) return undefined;
  try {
    return sealing.open(bytes.toString('latin1'), owner);
  } catch {
    return undefined;
  }
}
