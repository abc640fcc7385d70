import { parseJsonObject } from '../../domain/json.ts';
import { unusable } from '../../domain/upstream-failure.ts';
import { readDecoded } from '../content/content-coding.ts';
import type { Answer } from '../wire/exchange.ts';
import { isHtml } from '../statuses.ts';

const tokenAnswerBytesMax = 1024 * 1024;
const tokenCharactersMax = 48 * 1024;
const lifeSecondsDefault = 60;
const lifeSecondsMax = 24 * 60 * 60;
const skewMsMax = 30_000;

export interface IssuedToken {
  readonly value: string;
  /** How long it is used: its life without a tenth (30 s at most) for clocks and the way. */
  readonly usableMs: number;
}

/**
 * Reads what a token service gave, whatever its Content-Type: `token`, else `access_token`; `expires_in`, else 60 s, counted
 * from `issued_at` where a service gives out one token for a while. Throws `UpstreamFailure`.
 */
export async function readToken(
  answer: Answer,
  asked: string,
  upstream: string,
  nowMs: number,
): Promise<IssuedToken> {
  const bytes = await readDecoded(answer, tokenAnswerBytesMax, upstream);
  const fields = parseJsonObject(Buffer.from(bytes).toString('utf8'));
  for (const name of ['token', 'access_token', 'refresh_token'])
    if (typeof fields?.[name] === 'string') answer.secrets.add(fields[name]);
  const value = [fields?.['token'], fields?.['access_token']].find(
    (text) => typeof text === 'string' && text !== '',
  );
  if (
    typeof value !== 'string' ||
    value.length > tokenCharactersMax ||
    !/^[\x21-\x7e]+$/.test(value)
  ) {
    const [what, reason] =
      fields === undefined && isHtml(answer)
        ? (['an HTML page came instead of a token', 'html'] as const)
        : (['the answer holds no token', 'badJson'] as const);
    throw unusable(`${asked}: ${what}`, reason, upstream, answer.status);
  }
  return { value, usableMs: usableMsOf(fields?.['expires_in'], fields?.['issued_at'], nowMs) };
}

/**
 * An age that leaves less than a minute is not believed: one of the two clocks is wrong, and a token that has really expired is
 * refused and renewed.
 */
function usableMsOf(expiresIn: unknown, issuedAt: unknown, nowMs: number): number {
  const seconds = typeof expiresIn === 'string' ? Number(expiresIn) : expiresIn;
  const said = typeof seconds === 'number' && seconds > 0 ? seconds : lifeSecondsDefault;
  const lifeMs = Math.min(said, lifeSecondsMax) * 1000;
  const issued = typeof issuedAt === 'string' ? Date.parse(issuedAt) : NaN;
  const ageMs = Number.isNaN(issued) ? 0 : Math.max(nowMs - issued, 0);
  const leftMs = Math.max(lifeMs - ageMs, Math.min(lifeMs, lifeSecondsDefault * 1000));
  return leftMs - Math.min(leftMs / 10, skewMsMax);
}
