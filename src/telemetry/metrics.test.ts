import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Digest } from '../domain/names/digest.ts';
import type { Served } from '../domain/served.ts';
import type { Event } from '../ports/events.ts';
import type { Metrics } from './metrics.ts';
import { createMetrics } from './metrics.ts';

const upstream = 'registry-1.docker.io';
const digest = `sha256:${'a'.repeat(64)}` as Digest;

function create(
  space: () => Promise<{ freeBytes: number; totalBytes: number }> = () =>
    Promise.resolve({ freeBytes: 40, totalBytes: 100 }),
): Metrics {
  return createMetrics({
    version: '0.1.0',
    commit: 'abc',
    requestsInFlight: () => 3,
    uploadsInFlight: () => 2,
    certificateEnd: () => 1_800_000_000_000,
    space,
  });
}

function exchange(
  method: string,
  status: number,
  bytes: number,
  durationMs: number,
  note: Partial<Served['reply']['note']> = {},
): Served {
  return {
    request: { id: 'r', method, query: '', headers: {}, clientAddress: '127.0.0.1' },
    reply: { status, note: { route: 'blob', ...note } },
    bytes,
    durationMs,
    complete: true,
  };
}

function count(metrics: Metrics, served: Served): void {
  metrics.counterOf(served.reply.note).count(served);
}

const events: readonly (readonly [event: Event, line: string])[] = [
  [
    { type: 'upstreamRequest', upstream, kind: 'blob', method: 'GET', status: 200, durationMs: 20 },
    `upstream_requests_total{upstream="${upstream}",kind="blob",method="GET",code="200"} 1`,
  ],
  [
    {
      type: 'upstreamRequest',
      upstream,
      kind: 'blob',
      method: 'GET',
      status: undefined,
      durationMs: 20,
    },
    `upstream_requests_total{upstream="${upstream}",kind="blob",method="GET",code="0"} 1`,
  ],
  [
    { type: 'upstreamRequest', upstream, kind: 'blob', method: 'GET', status: 404, durationMs: 20 },
    `upstream_up{upstream="${upstream}"} 1`,
  ],
  [
    { type: 'upstreamRequest', upstream, kind: 'blob', method: 'GET', status: 503, durationMs: 20 },
    `upstream_up{upstream="${upstream}"} 0`,
  ],
  [
    { type: 'upstreamRequest', upstream, kind: 'blob', method: 'GET', status: 200, durationMs: 20 },
    `upstream_request_duration_seconds_bucket{upstream="${upstream}",kind="blob",le="0.025"} 1`,
  ],
  [
    { type: 'upstreamReceived', upstream, bytes: 9 },
    `upstream_received_bytes_total{upstream="${upstream}"} 9`,
  ],
  [
    { type: 'upstreamFailed', upstream, kind: 'network', reason: 'dns', message: 'm' },
    `upstream_failures_total{upstream="${upstream}",kind="network",reason="dns"} 1`,
  ],
  [
    { type: 'throttled', upstream, reason: 'held' },
    `upstream_throttled_total{upstream="${upstream}",reason="held"} 1`,
  ],
  [
    { type: 'breaker', upstream, state: 'open' },
    `upstream_circuit_state{upstream="${upstream}"} 2`,
  ],
  [
    { type: 'rateLimit', upstream, account: 'u', limit: 100, remaining: 4, resetAt: 5000 },
    `upstream_ratelimit_limit{upstream="${upstream}",account="u"} 100`,
  ],
  [
    { type: 'rateLimit', upstream, account: 'u', limit: 100, remaining: 4, resetAt: 5000 },
    `upstream_ratelimit_remaining{upstream="${upstream}",account="u"} 4`,
  ],
  [
    { type: 'rateLimit', upstream, account: 'u', limit: 100, remaining: 4, resetAt: 5000 },
    `upstream_ratelimit_reset_timestamp_seconds{upstream="${upstream}",account="u"} 5`,
  ],
  [{ type: 'authFailed', upstream }, `upstream_auth_failures_total{upstream="${upstream}"} 1`],
  [
    { type: 'downloadStarted', rule: 'docker.io', digest, upstream },
    `fetches_in_flight{upstream="${upstream}"} 1`,
  ],
  [
    { type: 'downloadResumed', upstream, digest, at: 5 },
    `fetch_resumed_total{upstream="${upstream}"} 1`,
  ],
  [
    { type: 'digestMismatch', upstream, digest },
    `fetch_digest_mismatch_total{upstream="${upstream}"} 1`,
  ],
  [
    { type: 'storageFailed', operation: 'adopt', message: 'm' },
    'storage_errors_total{operation="adopt"} 1',
  ],
];

suite('metrics', () => {
  for (const [event, line] of events) {
    test(`${event.type} shows as ${line}`, async () => {
      const metrics = create();
      metrics.emit(event);
      const text = await metrics.scrape();
      ok(text.split('\n').includes(`breakwater_${line}`), text.slice(0, 4000));
    });
  }

  test('a download that ended is no longer in flight, told once or twice', async () => {
    const metrics = create();
    const ended: Event = {
      type: 'downloadEnded',
      rule: 'docker.io',
      digest,
      bytes: 1,
      durationMs: 1,
      error: undefined,
    };
    metrics.emit({ type: 'downloadStarted', rule: 'docker.io', digest, upstream });
    metrics.emit(ended);
    metrics.emit(ended);
    match(await metrics.scrape(), /fetches_in_flight\{upstream="registry-1.docker.io"\} 0/);
  });

  test('requests are counted by route, method and code, whatever method a client makes up', async () => {
    const metrics = create();
    count(metrics, exchange('GET', 200, 100, 30));
    count(metrics, exchange('GET', 200, 50, 250));
    count(metrics, exchange('BREW', 405, 0, 1));
    const lines = (await metrics.scrape()).split('\n');
    for (const line of [
      'http_requests_total{route="blob",method="GET",code="200"} 2',
      'http_requests_total{route="blob",method="other",code="405"} 1',
      'http_response_bytes_total{route="blob"} 150',
      'http_request_duration_seconds_bucket{route="blob",method="GET",le="0.05"} 1',
      'http_request_duration_seconds_bucket{route="blob",method="GET",le="+Inf"} 2',
      'http_request_duration_seconds_sum{route="blob",method="GET"} 0.28',
      'http_request_duration_seconds_count{route="blob",method="GET"} 2',
      'http_requests_in_flight 3',
      'storage_used_bytes{driver="files"} 60',
      'storage_capacity_bytes{driver="files"} 100',
      `build_info{version="0.1.0",commit="abc",node="${process.version}"} 1`,
    ]) {
      ok(lines.includes(`breakwater_${line}`), line);
    }
  });

  test('of one note each method, code and body counts for itself', async () => {
    const metrics = create();
    const note = { route: 'manifest', rule: 'docker.io', reference: '1', verdict: 'hit' } as const;
    const counter = metrics.counterOf(note);
    for (const [method, status, bytes] of [
      ['GET', 200, 7],
      ['GET', 200, 7],
      ['HEAD', 200, 0],
      ['GET', 404, 5],
      ['GET', 200, 7],
    ] as const)
      counter.count(exchange(method, status, bytes, 1, note));
    const lines = (await metrics.scrape()).split('\n');
    for (const line of [
      'http_requests_total{route="manifest",method="GET",code="200"} 3',
      'http_requests_total{route="manifest",method="HEAD",code="200"} 1',
      'http_requests_total{route="manifest",method="GET",code="404"} 1',
      'http_request_duration_seconds_count{route="manifest",method="GET"} 4',
      'http_request_duration_seconds_count{route="manifest",method="HEAD"} 1',
      'http_response_bytes_total{route="manifest"} 26',
      'cache_requests_total{rule="docker.io",kind="tag",result="hit"} 5',
      'cache_served_bytes_total{rule="docker.io",kind="manifest",result="hit"} 21',
    ])
      ok(lines.includes(`breakwater_${line}`), line);
  });

  const rule = 'docker.io';
  const pulls: readonly (readonly [
    name: string,
    note: Partial<Served['reply']['note']>,
    counted: string | undefined,
    bytes: string | undefined,
  ])[] = [
    [
      'a manifest by tag',
      { route: 'manifest', rule, reference: '1.27', verdict: 'hit' },
      'kind="tag",result="hit"',
      'kind="manifest",result="hit"',
    ],
    [
      'a manifest by digest',
      { route: 'manifest', rule, reference: digest, verdict: 'miss' },
      'kind="manifest",result="miss"',
      'kind="manifest",result="miss"',
    ],
    [
      'a blob',
      { rule, reference: digest, verdict: 'coalesced' },
      'kind="blob",result="coalesced"',
      'kind="blob",result="coalesced"',
    ],
    [
      'a list of tags',
      { route: 'tags', rule, verdict: 'stale' },
      'kind="tags",result="stale"',
      undefined,
    ],
    [
      'referrers',
      { route: 'referrers', rule, reference: digest, verdict: 'revalidated' },
      'kind="referrers",result="revalidated"',
      undefined,
    ],
    ['what no rule stands for', { reference: digest, verdict: 'hit' }, undefined, undefined],
    ['what was refused', { rule, reference: digest }, undefined, undefined],
  ];
  for (const [name, note, counted, bytes] of pulls) {
    test(`${name} counts as ${counted ?? 'no pull'}`, async () => {
      const metrics = create();
      count(metrics, exchange('GET', 200, 7, 1, note));
      const lines = (await metrics.scrape()).split('\n');
      const of = (series: string): string[] =>
        lines.filter((line) => line.startsWith(`breakwater_cache_${series}{`));
      const line = (series: string, labels: string | undefined, value: number): string[] =>
        labels === undefined
          ? []
          : [`breakwater_cache_${series}{rule="docker.io",${labels}} ${value}`];
      deepEqual(of('requests_total'), line('requests_total', counted, 1));
      deepEqual(of('served_bytes_total'), line('served_bytes_total', bytes, 7));
    });
  }

  test('every name is in /metrics with help and type', async () => {
    const metrics = create();
    const text = await metrics.scrape();
    const names = metrics.described.map(({ name }) => name);
    for (const name of names)
      match(text, new RegExp(`^# TYPE ${name} (counter|gauge|histogram)$`, 'm'));
    deepEqual(names.map((name) => name.replace('breakwater_', '')).toSorted(), [
      'audit_entries_total',
      'build_info',
      'cache_requests_total',
      'cache_served_bytes_total',
      'config_last_reload_success_timestamp_seconds',
      'config_last_reload_successful',
      'deletions_total',
      'fetch_digest_mismatch_total',
      'fetch_resumed_total',
      'fetches_in_flight',
      'http_request_duration_seconds',
      'http_requests_in_flight',
      'http_requests_total',
      'http_response_bytes_total',
      'pushed_bytes_total',
      'pushes_total',
      'storage_capacity_bytes',
      'storage_errors_total',
      'storage_used_bytes',
      'tls_cert_not_after_timestamp_seconds',
      'uploads_in_flight',
      'upstream_auth_failures_total',
      'upstream_circuit_state',
      'upstream_failures_total',
      'upstream_ratelimit_limit',
      'upstream_ratelimit_remaining',
      'upstream_ratelimit_reset_timestamp_seconds',
      'upstream_received_bytes_total',
      'upstream_request_duration_seconds',
      'upstream_requests_total',
      'upstream_throttled_total',
      'upstream_up',
    ]);
    match(text, /^nodejs_eventloop_lag_seconds /m);
  });

  test('a storage that cannot say its space leaves the rest readable', async () => {
    const text = await create(() => Promise.reject(new Error('gone'))).scrape();
    match(text, /http_requests_in_flight 3/);
    equal(/^breakwater_storage_used_bytes/m.test(text), false);
  });

  test('a label keeps its line whole whatever an upstream is called', async () => {
    const metrics = create();
    metrics.emit({ type: 'authFailed', upstream: 'a"b\\c\nd' });
    match(
      await metrics.scrape(),
      /^breakwater_upstream_auth_failures_total\{upstream="a\\"b\\\\c\\nd"\} 1$/m,
    );
  });

  test('series beyond the bound are counted together', async () => {
    const metrics = create();
    for (let index = 0; index < 5000; index += 1)
      metrics.emit({ type: 'authFailed', upstream: `u${index}` });
    const lines = (await metrics.scrape())
      .split('\n')
      .filter((line) => line.startsWith('breakwater_upstream_auth_failures_total'));
    equal(lines.length, 2001);
    ok(lines.includes('breakwater_upstream_auth_failures_total{upstream="other"} 3000'));
  });

  test('a reload that failed keeps the time of the last that did not', async () => {
    const metrics = create();
    metrics.configReloaded(true, 5000);
    metrics.configReloaded(false, 9000);
    const text = await metrics.scrape();
    match(text, /^breakwater_config_last_reload_successful 0$/m);
    match(text, /^breakwater_config_last_reload_success_timestamp_seconds 5$/m);
  });
});
