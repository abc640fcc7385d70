import type { MetricObject } from '@prometheus-io/client';
import { collectDefaultMetrics, Registry } from '@prometheus-io/client';
import type { ReplyNote } from '../domain/served.ts';
import type { Event } from '../ports/events.ts';
import type { AnswerCounter } from './answer-counter.ts';
import { createAnswerCounters } from './answer-counter.ts';
import { createDurations, createReading, createSeries, namePrefix, shape } from './series.ts';

export interface MetricsSources {
  readonly version: string;
  readonly commit: string;
  /** Requests that have begun and not ended. */
  readonly requestsInFlight: () => number;
  /** Bodies of uploads that are being received. */
  readonly uploadsInFlight: () => number;
  /** Wall ms until which the main listener's certificate is valid; `undefined` without TLS. */
  readonly certificateEnd: () => number | undefined;
  /** Of the volume that holds the blobs. */
  readonly space: () => Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
}

/** What `/metrics` shows. Counting never throws and costs well under a microsecond. */
export interface Metrics {
  readonly contentType: string;
  /** The text of `/metrics`. */
  scrape(): Promise<string>;
  /** Every metric of Breakwater's own, without the suffixes of histograms. */
  readonly described: readonly MetricDescription[];
  /** What counts the requests that are answered with this note. */
  readonly counterOf: (note: ReplyNote) => Pick<AnswerCounter, 'count'>;
  emit(event: Event): void;
  /** `at`: wall ms. */
  configReloaded(successful: boolean, at: number): void;
  /** What the audit was told. */
  audited(kind: string, outcome: string): void;
}

export interface MetricDescription {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

/** Downloads whose upstream is remembered until they end. */
const downloadsMax = 10_000;
const circuitStates = { closed: 0, 'half-open': 1, open: 2 } as const;

export function createMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  const counterOf = createAnswerCounters(registry);
  const config = configSeries(registry);
  const audit = createSeries(
    registry,
    'counter',
    shape('audit_entries_total', 'Changes, logins and denials.', 'kind', 'outcome'),
  );
  const count = eventCounter(registry);
  readings(registry, sources);
  collectDefaultMetrics({ register: registry });
  return {
    contentType: registry.contentType,
    scrape: () => registry.metrics(),
    described: registry
      .getMetricsAsArray()
      .map((metric) => metric as MetricObject & MetricDescription)
      .filter(({ name }) => name.startsWith(namePrefix))
      .map(({ name, type, help, labels }) => ({ name, type, help, labels })),
    counterOf,
    emit: count,
    configReloaded(successful, at) {
      config.successful.set(successful ? 1 : 0);
      if (successful) config.time.set(at / 1000);
    },
    audited: (kind, outcome) => audit.add(1, kind, outcome),
  };
}

function configSeries(registry: Registry) {
  return {
    successful: createSeries(
      registry,
      'gauge',
      shape(
        'config_last_reload_successful',
        'Whether the last reading of the configuration succeeded.',
      ),
    ),
    time: createSeries(
      registry,
      'gauge',
      shape(
        'config_last_reload_success_timestamp_seconds',
        'When the configuration in force was read.',
      ),
    ),
  };
}

function readings(registry: Registry, sources: MetricsSources): void {
  createReading(
    registry,
    shape('http_requests_in_flight', 'Requests that have begun and not ended.'),
    () => Promise.resolve([{ value: sources.requestsInFlight(), labels: {} }]),
  );
  createReading(
    registry,
    shape('uploads_in_flight', 'Bodies of uploads that are being received.'),
    () => Promise.resolve([{ value: sources.uploadsInFlight(), labels: {} }]),
  );
  createReading(
    registry,
    shape(
      'tls_cert_not_after_timestamp_seconds',
      'Until when the certificate of a listener is valid.',
      'name',
    ),
    () => {
      const end = sources.certificateEnd();
      const row = { value: (end ?? 0) / 1000, labels: { name: 'listen' } };
      return Promise.resolve(end === undefined ? [] : [row]);
    },
  );
  createReading(
    registry,
    shape('build_info', 'What is running; always 1.', 'version', 'commit', 'node'),
    () =>
      Promise.resolve([
        {
          value: 1,
          labels: { version: sources.version, commit: sources.commit, node: process.version },
        },
      ]),
  );
  const space =
    (read: (space: { readonly freeBytes: number; readonly totalBytes: number }) => number) =>
    async () => {
      try {
        return [{ value: read(await sources.space()), labels: { driver: 'files' } }];
      } catch {
        return [];
      }
    };
  createReading(
    registry,
    shape('storage_used_bytes', 'Used bytes of the volume that holds the blobs.', 'driver'),
    space(({ freeBytes, totalBytes }) => totalBytes - freeBytes),
  );
  createReading(
    registry,
    shape('storage_capacity_bytes', 'Size of the volume that holds the blobs.', 'driver'),
    space(({ totalBytes }) => totalBytes),
  );
}

type Labels = readonly string[];

function seriesOf(registry: Registry) {
  const counter = (name: string, help: string, ...labels: Labels) =>
    createSeries(registry, 'counter', shape(name, help, ...labels));
  const gauge = (name: string, help: string, ...labels: Labels) =>
    createSeries(registry, 'gauge', shape(name, help, ...labels));
  return { counter, gauge };
}

function upstreamSeries(registry: Registry) {
  const { counter, gauge } = seriesOf(registry);
  return {
    requests: counter(
      'upstream_requests_total',
      'Requests to upstreams; code 0: no answer.',
      'upstream',
      'kind',
      'method',
      'code',
    ),
    duration: createDurations(
      registry,
      shape(
        'upstream_request_duration_seconds',
        'From a request to an upstream to the head of its answer.',
        'upstream',
        'kind',
      ),
    ),
    received: counter('upstream_received_bytes_total', 'Body bytes received.', 'upstream'),
    failures: counter(
      'upstream_failures_total',
      'Failures of upstreams to give what was asked.',
      'upstream',
      'kind',
      'reason',
    ),
    throttled: counter(
      'upstream_throttled_total',
      'Requests held back or refused.',
      'upstream',
      'reason',
    ),
    circuit: gauge(
      'upstream_circuit_state',
      'The breaker: 0 closed, 1 half-open, 2 open.',
      'upstream',
    ),
    up: gauge(
      'upstream_up',
      'Whether the last request was answered without a failure of the server.',
      'upstream',
    ),
    limit: gauge(
      'upstream_ratelimit_limit',
      'Pulls that the upstream allows in its window.',
      'upstream',
      'account',
    ),
    remaining: gauge(
      'upstream_ratelimit_remaining',
      'Pulls that the upstream still allows.',
      'upstream',
      'account',
    ),
    reset: gauge(
      'upstream_ratelimit_reset_timestamp_seconds',
      'When the allowance is whole again, where it is said.',
      'upstream',
      'account',
    ),
    authFailures: counter(
      'upstream_auth_failures_total',
      'Credentials that an upstream refused.',
      'upstream',
    ),
  };
}

function cacheSeries(registry: Registry) {
  const { counter, gauge } = seriesOf(registry);
  return {
    inFlight: gauge('fetches_in_flight', 'Downloads that are running.', 'upstream'),
    resumed: counter('fetch_resumed_total', 'Downloads taken up where they broke.', 'upstream'),
    mismatches: counter(
      'fetch_digest_mismatch_total',
      'Bodies whose digest was wrong.',
      'upstream',
    ),
    storageErrors: counter('storage_errors_total', 'Storage operations that failed.', 'operation'),
  };
}

function pushSeries(registry: Registry) {
  const { counter } = seriesOf(registry);
  return {
    pushes: counter('pushes_total', 'Blobs and manifests pushed.', 'kind'),
    bytes: counter('pushed_bytes_total', 'Bytes of what was pushed.', 'kind'),
    deletions: counter('deletions_total', 'Content deleted by clients.', 'kind'),
  };
}

function eventCounter(registry: Registry): (event: Event) => void {
  const cache = cacheSeries(registry);
  const upstream = upstreamSeries(registry);
  const pushed = pushSeries(registry);
  const downloads = new Map<string, string>();
  return (event) => {
    switch (event.type) {
      case 'upstreamRequest':
        upstream.requests.add(
          1,
          event.upstream,
          event.kind,
          event.method,
          String(event.status ?? 0),
        );
        upstream.duration.of(event.upstream, event.kind).observe(event.durationMs / 1000);
        return upstream.up.set(
          event.status !== undefined && event.status < 500 ? 1 : 0,
          event.upstream,
        );
      case 'upstreamReceived':
        return upstream.received.add(event.bytes, event.upstream);
      case 'upstreamFailed':
        return upstream.failures.add(1, event.upstream, event.kind, event.reason);
      case 'throttled':
        return upstream.throttled.add(1, event.upstream, event.reason);
      case 'breaker':
        return upstream.circuit.set(circuitStates[event.state], event.upstream);
      case 'rateLimit':
        upstream.limit.set(event.limit, event.upstream, event.account);
        upstream.remaining.set(event.remaining, event.upstream, event.account);
        if (event.resetAt !== undefined)
          upstream.reset.set(event.resetAt / 1000, event.upstream, event.account);
        return undefined;
      case 'authFailed':
        return upstream.authFailures.add(1, event.upstream);
      case 'downloadStarted': {
        const key = `${event.rule} ${event.digest}`;
        if (downloads.has(key) || downloads.size >= downloadsMax) return undefined;
        downloads.set(key, event.upstream);
        return cache.inFlight.add(1, event.upstream);
      }
      case 'downloadEnded': {
        const key = `${event.rule} ${event.digest}`;
        const from = downloads.get(key);
        if (downloads.delete(key)) cache.inFlight.add(-1, from ?? '');
        return undefined;
      }
      case 'downloadResumed':
        return cache.resumed.add(1, event.upstream);
      case 'digestMismatch':
        return cache.mismatches.add(1, event.upstream);
      case 'pushed':
        pushed.pushes.add(1, event.kind);
        return pushed.bytes.add(event.bytes, event.kind);
      case 'deleted':
        return pushed.deletions.add(1, event.kind);
      case 'storageFailed':
        return cache.storageErrors.add(1, event.operation);
      case 'imageArrived':
      // The free space is a gauge of its own.
      case 'spaceLow':
        return undefined;
    }
  };
}
