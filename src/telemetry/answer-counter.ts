import type { Registry } from '@prometheus-io/client';
import type { ReplyNote, Served } from '../domain/served.ts';
import type { Cell, Durations, Histogram, Series } from './series.ts';
import { createDurations, createSeries, shape } from './series.ts';

const methods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
]);

interface AnswerSeries {
  readonly requests: Series;
  readonly duration: Durations;
  readonly bytes: Series;
  readonly pulls: Series;
  readonly pulledBytes: Series;
}

export function createAnswerCounters(registry: Registry): (note: ReplyNote) => AnswerCounter {
  const counter = (name: string, help: string, ...labels: readonly string[]): Series =>
    createSeries(registry, 'counter', shape(name, help, ...labels));
  const series: AnswerSeries = {
    requests: counter('http_requests_total', 'Requests answered.', 'route', 'method', 'code'),
    duration: createDurations(
      registry,
      shape(
        'http_request_duration_seconds',
        'From the request to its last byte.',
        'route',
        'method',
      ),
    ),
    bytes: counter('http_response_bytes_total', 'Body bytes sent.', 'route'),
    pulls: counter(
      'cache_requests_total',
      'Pulls under a rule, by result.',
      'rule',
      'kind',
      'result',
    ),
    pulledBytes: counter(
      'cache_served_bytes_total',
      'Bytes of manifests and blobs sent under a rule, by result.',
      'rule',
      'kind',
      'result',
    ),
  };
  return (note) => new AnswerCounter(series, note);
}

/** Counts the requests that are answered with one note. What it has looked up by the labels of the last one serves the next. */
export class AnswerCounter {
  readonly #series: AnswerSeries;
  readonly #note: ReplyNote;
  #method: string | undefined;
  #status: number | undefined;
  #requests: Cell | undefined;
  #duration: Histogram | undefined;
  #bytes: Cell | undefined;
  #pulls: Cell | undefined;
  #pulledBytes: Cell | undefined;

  constructor(series: AnswerSeries, note: ReplyNote) {
    this.#series = series;
    this.#note = note;
  }

  count({ request: { method }, reply: { status }, bytes, durationMs }: Served): void {
    if (method !== this.#method || status !== this.#status) {
      this.#method = method;
      this.#status = status;
      this.#requests = this.#duration = undefined;
    }
    const { route } = this.#note;
    (this.#requests ??= this.#requestsOf(method, status)).value += 1;
    this.#duration ??= this.#series.duration.of(route, known(method));
    this.#duration.observe(durationMs / 1000);
    if (bytes > 0) (this.#bytes ??= this.#series.bytes.of(route)).value += bytes;
    this.#countPull(status, bytes);
  }

  #requestsOf(method: string, status: number): Cell {
    return this.#series.requests.of(this.#note.route, known(method), String(status));
  }

  /**
   * How requests for content under a rule were answered, as their `Cache-Status` says: what hit ratios are made of. What no rule stands
   * for is left out, since it is always here; so is what was refused before the cache was asked.
   */
  #countPull(status: number, bytes: number): void {
    const { rule, route, reference, verdict } = this.#note;
    if (rule === undefined || verdict === undefined) return;
    if (this.#pulls === undefined) {
      const byTag = route === 'manifest' && reference?.includes(':') === false;
      this.#pulls = this.#series.pulls.of(rule, byTag ? 'tag' : route, verdict);
    }
    this.#pulls.value += 1;
    if (bytes === 0 || status >= 400 || (route !== 'manifest' && route !== 'blob')) return;
    (this.#pulledBytes ??= this.#series.pulledBytes.of(rule, route, verdict)).value += bytes;
  }
}

function known(method: string): string {
  return methods.has(method) ? method : 'other';
}
