import type { Registry } from '@prometheus-io/client';
import { createSeries, shape } from './series.ts';
import type { ServedExchange } from './served-exchange.ts';

/**
 * Counts how requests for content under a rule were answered, as their `Cache-Status` says: what hit ratios are made of. What
 * no rule stands for is left out, since it is always here; so is what was refused before the cache was asked.
 */
export function createPullCounter(registry: Registry): (exchange: ServedExchange) => void {
  const requests = createSeries(
    registry,
    'counter',
    shape('cache_requests_total', 'Pulls under a rule, by result.', 'rule', 'kind', 'result'),
  );
  const served = createSeries(
    registry,
    'counter',
    shape(
      'cache_served_bytes_total',
      'Bytes of manifests and blobs sent under a rule, by result.',
      'rule',
      'kind',
      'result',
    ),
  );
  return ({ reply: { note, status }, bytes }) => {
    const { rule, route, reference, verdict } = note;
    if (rule === undefined || verdict === undefined) return;
    const byTag = route === 'manifest' && reference?.includes(':') === false;
    requests.add(1, rule, byTag ? 'tag' : route, verdict);
    if (bytes > 0 && status < 400 && (route === 'manifest' || route === 'blob'))
      served.add(bytes, rule, route, verdict);
  };
}
