import type { PullRule, UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { unusable } from '../../domain/upstream-failure.ts';
import { discard } from '../wire/body-reading.ts';
import type { Calls } from '../calls.ts';
import { askOrigin, smallRequest } from '../calls.ts';
import { failureOfStatus, isHtml } from '../statuses.ts';

/** The port's `ping`. */
export function ping(
  calls: Calls,
  rule: PullRule,
  url: UpstreamUrl,
  signal: AbortSignal,
): Promise<void> {
  const origin = { rule, url };
  return smallRequest(calls, origin, signal, async (within) => {
    const asked = `${url.host}/v2/`;
    const request = { repository: '', kind: 'ping', method: 'GET', path: '/v2/' } as const;
    const answer = await askOrigin(calls, origin, request, within);
    if (answer.status !== 200) throw await failureOfStatus(answer, asked, url.host, calls.clock);
    if (isHtml(answer)) {
      answer.body.destroy();
      throw unusable(
        `${asked}: an HTML page came instead of an answer`,
        'html',
        url.host,
        answer.status,
      );
    }
    discard(answer, calls.clock);
  });
}
