import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks the condition until it answers something, and answers that: each millisecond at first, then every ten. Throws `what`
 * after `timeoutMs` (30 s).
 */
export async function until<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  what = 'the condition',
  timeoutMs = 30_000,
): Promise<T> {
  const giveUpAt = performance.now() + timeoutMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(10, pauseMs + 0.1)) {
    const answer = await condition();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > giveUpAt) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await delay(pauseMs);
  }
}
