import { pino } from 'pino';
import type { Clock } from '../ports/clock.ts';
import type { LogOutput } from './log-output.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** What happened, in words; `request_id` and the like in the fields. Never throws. */
export interface Log {
  /** In `text` a message says all that a person wants; fields are for machines. */
  readonly format: 'json' | 'text';
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose lines name the part that writes them. */
  of(logger: string): Log;
}

export interface LogOptions {
  readonly output: LogOutput;
  readonly clock: Clock;
  /** `text` is for a person at a terminal. */
  readonly format: 'json' | 'text';
  readonly level: LogLevel;
}

/** Names of fields whose values never go out, at the top and one level below. */
const secretFields: readonly string[] = [
  'authorization',
  'Authorization',
  'cookie',
  'password',
  'accessToken',
  'secretAccessKey',
  'token',
];

export function createLog(options: LogOptions): Log {
  return options.format === 'json' ? createJsonLog(options) : createTextLog(options);
}

function createJsonLog({ output, clock, level }: LogOptions): Log {
  const root = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    },
    { write: (line: string) => output.write(line) },
  );
  const wrap = (logger: typeof root): Log => ({
    format: 'json',
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    of: (name) => wrap(logger.child({ logger: name })),
  });
  return wrap(root);
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

function createTextLog({ output, clock, level }: LogOptions): Log {
  const least = levels.indexOf(level);
  const line = (of: LogLevel, logger: string, message: string, fields: LogFields): void => {
    if (levels.indexOf(of) < least) return;
    const time = new Date(clock.now()).toTimeString().slice(0, 8);
    const label = of === 'info' ? '' : `${of}: `;
    const from = logger === '' ? '' : `${logger}: `;
    const shown = Object.entries(fields).map(([name, value]) => ` ${name}=${textOf(name, value)}`);
    output.write(`${time} ${label}${from}${printable(message)}${shown.join('')}\n`);
  };
  const wrap = (logger: string): Log => ({
    format: 'text',
    debug: (message, fields = {}) => line('debug', logger, message, fields),
    info: (message, fields = {}) => line('info', logger, message, fields),
    warn: (message, fields = {}) => line('warn', logger, message, fields),
    error: (message, fields = {}) => line('error', logger, message, fields),
    of: wrap,
  });
  return wrap('');
}

function textOf(name: string, value: unknown): string {
  if (secretFields.includes(name)) return '[redacted]';
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === 'string' && /^[!-~]+$/.test(value)) return value;
  try {
    return (
      JSON.stringify(value, (key, inner: unknown) =>
        secretFields.includes(key) ? '[redacted]' : inner,
      ) ?? 'undefined'
    );
  } catch {
    return '[unprintable]';
  }
}

/** A terminal obeys control characters, and upstreams' words end up in messages. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}
