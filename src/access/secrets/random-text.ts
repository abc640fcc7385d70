import { randomBytes } from 'node:crypto';

/** Base32, as access keys' ids have it. */
export const upperAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
export const lowerAlphabet = 'abcdefghijklmnopqrstuvwxyz234567';
export const mixedAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Every character of the alphabet is as likely as any other. */
export function randomText(alphabet: string, length: number): string {
  let text = '';
  // Bytes beyond a multiple of the alphabet are passed over.
  const fair = 256 - (256 % alphabet.length);
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < fair && text.length < length) text += alphabet[byte % alphabet.length];
    }
  }
  return text;
}
