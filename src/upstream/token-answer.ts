import { readWhole } from './body-reading.ts';
import type { Answer } from './exchange.ts';
import { failure } from './failures.ts';
import { isHtml } from './statuses.ts';

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

/** Reads a token service's 200 (`token`, else `access_token`; `expires_in`, else 60 s). Throws `UpstreamFailure`. */
export async function readToken(
  answer: Answer,
  asked: string,
  upstream: string,
): Promise<IssuedToken> {
  if (isHtml(answer)) {
    answer.body.destroy();
    throw failure(`${asked}: an HTML page came instead of a token`, 'invalid', 'html', upstream, {
      status: answer.status,
    });
  }
  const fields = parseFields(await readWhole(answer, tokenAnswerBytesMax, upstream));
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
    throw failure(`${asked}: the answer holds no token`, 'invalid', 'badJson', upstream, {
      status: answer.status,
    });
  }
  return { value, usableMs: usableMsOf(fields?.['expires_in']) };
}

function parseFields(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof parsed === 'object' && parsed !== null
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function usableMsOf(expiresIn: unknown): number {
  const said = typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn : lifeSecondsDefault;
  const lifeMs = Math.min(said, lifeSecondsMax) * 1000;
  return lifeMs - Math.min(lifeMs / 10, skewMsMax);
}
