import { parseDigest } from '../domain/names/digest.ts';
import type { RegistryKey } from '../domain/names/registry.ts';
import type { Clock } from '../ports/clock.ts';
import type { ReplyNote, Served } from '../domain/served.ts';
import type { Event, Events } from '../ports/events.ts';
import type { AccessLog, AnswerLines } from './access-log.ts';
import type { Log, LogFields, LogLevel } from './log.ts';
import type { Metrics } from './metrics.ts';
import { PulledImage } from './pull-recorder.ts';
import type { PullRecorder } from './pull-recorder.ts';
import { createThrottle } from './throttle.ts';

export interface TelemetryParts {
  /** The home registry, whose pulls are those that name no other. */
  readonly registry: RegistryKey;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pulls: PullRecorder;
  /** Absent where requests are not logged: at a terminal. */
  readonly accessLog: AccessLog | undefined;
}

/** What happened, as metrics, logs and pull records. Never throws, never waits; the parts are disposed by who made them. */
export interface Telemetry extends Events {
  served(exchange: Served): void;
}

export function createTelemetry(parts: TelemetryParts): Telemetry {
  const { clock, log, metrics, pulls } = parts;
  const tell = createThrottle(log.of('cache'), clock);
  const tellRarely = createThrottle(log.of('cache'), clock, rarelyMs);
  const bookOf = createBooks(parts);
  return {
    emit(event) {
      metrics.emit(event);
      if (event.type === 'spaceLow') tellSpace(event, tellRarely);
      else logEvent(event, log, tell);
    },
    served(exchange) {
      const { counter, lines, image } = bookOf(exchange.reply);
      const at = clock.now();
      counter.count(exchange);
      if (lines === undefined) tellRefusal(exchange, tell);
      else lines.write(exchange, at);
      if (image !== undefined && isPull(exchange))
        pulls.add(image, exchange.request.clientAddress, exchange.reply.principal, at);
    },
  };
}

/** Where the requests that are answered with one note are entered. */
interface Book {
  readonly counter: ReturnType<Metrics['counterOf']>;
  readonly lines: AnswerLines | undefined;
  /** What they pull. */
  readonly image: PulledImage | undefined;
}

/**
 * The book of a reply's note: one as long as the note lives where it is told again and again. Of other notes it is made each time: to
 * remember them would cost more.
 */
function createBooks({
  registry,
  metrics,
  accessLog,
}: TelemetryParts): (reply: Served['reply']) => Book {
  const open = (note: ReplyNote): Book => ({
    counter: metrics.counterOf(note),
    lines: accessLog?.of(note),
    image: imageOf(note, registry),
  });
  const books = new WeakMap<ReplyNote, Book>();
  return ({ note, repeats }) => {
    if (repeats !== true) return open(note);
    let book = books.get(note);
    if (book === undefined) books.set(note, (book = open(note)));
    return book;
  };
}

/** Manifests are what images are counted by: `undefined` for any other. */
function imageOf(
  { route, verdict, repository, reference, ...note }: ReplyNote,
  home: RegistryKey,
): PulledImage | undefined {
  if (route !== 'manifest' || verdict === undefined) return undefined;
  if (repository === undefined || reference === undefined) return undefined;
  return new PulledImage({
    registry: note.registry ?? home,
    ns: note.ns ?? '',
    image: `${repository}${reference.includes(':') ? '@' : ':'}${reference}`,
    digest: note.digest === undefined ? undefined : parseDigest(note.digest),
    verdict,
  });
}

/** A GET or a HEAD that was answered with a manifest. Refusals and failures are in the metrics and the access log. */
function isPull({ request, reply }: Served): boolean {
  return reply.status < 400 && (request.method === 'GET' || request.method === 'HEAD');
}

/** Where requests are not logged a person still reads whom the server turned away, and why; what upstream did is told by events. */
function tellRefusal({ request, reply }: Served, tell: Tell): void {
  const { status, note, principal = 'who asked' } = reply;
  if (status < 400 || note.verdict !== undefined || note.reason === undefined) return;
  // Clients ask without credentials first, to learn where tokens are had.
  if (status === 401 && request.headers.authorization === undefined) return;
  const { repository, reference = '', reason } = note;
  const between = reference === '' ? '' : reference.includes(':') ? '@' : ':';
  const what = repository === undefined ? note.route : `${repository}${between}${reference}`;
  tell(
    `refused ${status} ${what} ${request.clientAddress}`,
    'warn',
    `${request.clientAddress} was refused ${what} with ${status}: ${principal}: ${reason}`,
    {},
  );
}

type Tell = (key: string, level: LogLevel, message: string, fields: LogFields) => void;

type SpaceLow = Extract<Event, { type: 'spaceLow' }>;

/** A state that lasts, told again where an operator has not heard. */
const rarelyMs = 3_600_000;

function tellSpace({ freeBytes, minFreeBytes, wantedBytes }: SpaceLow, tell: Tell): void {
  const numbers = `${formatBytes(freeBytes)} are free, ${formatBytes(wantedBytes)} were to be written, and cache.minFree keeps ${formatBytes(minFreeBytes)}`;
  tell(
    'spaceLow',
    'warn',
    `the volume is short of space (${numbers}): what is pulled streams through and is not kept, and pushes are refused`,
    { free_bytes: freeBytes, wanted_bytes: wantedBytes, min_free_bytes: minFreeBytes },
  );
}

/** What an operator wants to read; what happens at every request is for the metrics alone. */
function logEvent(event: Exclude<Event, SpaceLow>, log: Log, tell: Tell): void {
  const { type, ...fields } = event;
  switch (event.type) {
    case 'upstreamFailed':
      return tell(
        `${type} ${event.upstream} ${event.reason}`,
        'warn',
        `${event.upstream} failed: ${event.message}`,
        {
          upstream: event.upstream,
          kind: event.kind,
          reason: event.reason,
        },
      );
    case 'breaker':
      return log[event.state === 'open' ? 'warn' : 'info'](
        `the breaker of ${event.upstream} is ${event.state}`,
        fields,
      );
    case 'authFailed':
      return tell(
        `${type} ${event.upstream}`,
        'warn',
        `${event.upstream} refused the credential`,
        fields,
      );
    case 'throttled':
      return tell(
        `${type} ${event.upstream} ${event.reason}`,
        'warn',
        `requests to ${event.upstream} are held back`,
        fields,
      );
    case 'downloadStarted':
      return log.debug('a download began', fields);
    case 'downloadResumed':
      return tell(
        `${type} ${event.upstream}`,
        'info',
        `a download from ${event.upstream} was resumed`,
        fields,
      );
    case 'downloadEnded':
      if (event.error === undefined) return log.debug('a download ended', fields);
      return tell(
        `${type} ${event.rule} ${event.error}`,
        'warn',
        `a download failed: ${event.error}`,
        fields,
      );
    case 'digestMismatch':
      return tell(
        `${type} ${event.upstream}`,
        'error',
        `${event.upstream} sent a body of the wrong digest`,
        fields,
      );
    case 'storageFailed':
      return tell(
        `${type} ${event.operation}`,
        'error',
        `storage: ${event.operation} failed: ${event.message}`,
        {
          operation: event.operation,
        },
      );
    case 'imageArrived':
      return log.info(
        `${event.image}  ${formatBytes(event.bytes)}  ${formatSeconds(event.durationMs)}`,
        log.format === 'text'
          ? {}
          : {
              image: event.image,
              digest: event.digest,
              bytes: event.bytes,
              dur_ms: Math.round(event.durationMs),
            },
      );
    case 'pushed':
      if (event.kind === 'blob') return log.debug('a blob was pushed', fields);
      return log.info(
        `${event.repository}@${event.digest} was pushed`,
        log.format === 'text' ? {} : fields,
      );
    case 'deleted':
      return log.info(
        `${event.repository}${event.digest === undefined ? '' : `@${event.digest}`}: ${event.kind} deleted`,
        log.format === 'text' ? {} : fields,
      );
    case 'upstreamRequest':
    case 'upstreamReceived':
    case 'rateLimit':
      return undefined;
  }
}

/** `67.3 MB`: decimal units, as registries show sizes. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
