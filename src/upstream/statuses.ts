import { isObject, parseJsonObject } from '../domain/json.ts';
import type { FailureKind, FailureReason, UpstreamFailure } from '../domain/upstream-failure.ts';
import { failure } from '../domain/upstream-failure.ts';
import type { Clock } from '../ports/clock.ts';
import { discard, readFront } from './wire/body-reading.ts';
import type { Answer } from './wire/exchange.ts';
import { headerOf } from './wire/exchange.ts';
import type { Secrets } from './redaction.ts';
import { parseRetryAfter, sentAt } from './wire/retry-after.ts';

const messageCharactersMax = 200;

/**
 * What an answer of an unwanted status means. Its body ends here: only a registry's own error code and message go on,
 * trimmed, without queries of URLs; HTML and free text never do.
 */
export async function failureOfStatus(
  answer: Answer,
  asked: string,
  upstream: string,
  clock: Clock,
): Promise<UpstreamFailure> {
  const { status } = answer;
  const [kind, reason] = meaningOf(status);
  const said =
    status >= 400
      ? saidIn(await readFront(answer, clock), answer.secrets)
      : (discard(answer, clock), undefined);
  const retryAfterMs =
    kind === 'serverError'
      ? parseRetryAfter(
          headerOf(answer, 'retry-after'),
          sentAt(headerOf(answer, 'date'), clock.now()),
        )
      : undefined;
  return failure(
    `${asked}: ${status}${said === undefined ? '' : ` ${said}`}`,
    kind,
    reason,
    upstream,
    {
      status,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  );
}

function meaningOf(status: number): readonly [FailureKind, FailureReason] {
  if (status === 404 || status === 410) return ['notFound', 'status'];
  if (status === 401 || status === 403) return ['denied', 'status'];
  if (status === 429) return ['rateLimited', 'status'];
  if (status === 416) return ['invalid', 'wrongRange'];
  return status >= 500 ? ['serverError', 'status'] : ['invalid', 'status'];
}

/** `CODE: message` of the first error of an OCI error body (distribution-spec, "Error Codes"). */
function saidIn(body: string, secrets: Secrets): string | undefined {
  const errors = parseJsonObject(body)?.['errors'];
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (!isObject(first)) return undefined;
  const texts = [first['code'], first['message']].filter((text) => typeof text === 'string');
  return texts.length === 0 ? undefined : presentable(secrets.redact(texts.join(': ')));
}

/** One line of printable text without what may be secret: queries of URLs, and what looks like a token echoed back. */
function presentable(text: string): string {
  return text
    .slice(0, 4096)
    .replaceAll(/\p{C}/gu, ' ')
    .replaceAll(/\?\S*=\S*/g, '')
    .replaceAll(/\b(?:Bearer|Basic)\s+\S+/gi, '…')
    .replaceAll(/[\w\-+/=.~]{65,}/g, (long) => (/^[a-f0-9]+$/.test(long) ? long : '…'))
    .slice(0, messageCharactersMax)
    .trim();
}

/** Whether an answer's body is all of what was asked for: 203 comes of proxies that transform. */
export function isWhole(status: number): boolean {
  return status >= 200 && status <= 203;
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

export function isHtml(answer: Answer): boolean {
  return /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(
    headerOf(answer, 'content-type') ?? '',
  );
}
