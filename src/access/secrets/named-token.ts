import { hash } from 'node:crypto';
import { lowerAlphabet, mixedAlphabet, randomText } from './random-text.ts';

const pattern = /^bw_([a-z2-7]{12})_[A-Za-z0-9]{40}$/;

/** A new token's text, `bw_<id>_<secret>`, and what is kept of it. */
export function newNamedToken(): {
  readonly id: string;
  readonly text: string;
  readonly hash: string;
} {
  const id = randomText(lowerAlphabet, 12);
  const text = `bw_${id}_${randomText(mixedAlphabet, 40)}`;
  return { id, text, hash: hashOfToken(text) };
}

/** The id by which a token's row is found; `undefined` for what is no token. */
export function idOfToken(text: string): string | undefined {
  return pattern.exec(text)?.[1];
}

/** SHA-256, hex. Enough for 238 random bits. */
export function hashOfToken(text: string): string {
  return hash('sha256', text, 'hex');
}
