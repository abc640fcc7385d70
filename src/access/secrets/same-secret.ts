import { hash, timingSafeEqual } from 'node:crypto';

/** In a time that says nothing of how much of it is right. */
export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', expected, 'buffer'));
}
