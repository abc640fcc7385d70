import type { Clock } from '../ports/clock.ts';
import { jsonText } from './json-text.ts';
import type { LogOutput } from './log-output.ts';
import type { ServedExchange } from './served-exchange.ts';

/** Query parameters that may be shown; all others may hold secrets. */
const shown: ReadonlySet<string> = new Set(['ns', 'n', 'last', 'artifactType']);
const queryCharactersMax = 2048;
const reasonCharactersMax = 1024;

/** One JSON line a request. */
export interface AccessLog {
  served(exchange: ServedExchange): void;
}

export function createAccessLog(output: LogOutput, clock: Clock): AccessLog {
  let second = 0;
  let prefix = '';
  return {
    served(exchange) {
      const now = clock.now();
      const milliseconds = ((now % 1000) + 1000) % 1000;
      if (now - milliseconds !== second || prefix === '') {
        second = now - milliseconds;
        prefix = new Date(second).toISOString().slice(0, -4);
      }
      const fraction = String(1000 + Math.floor(milliseconds)).slice(1);
      output.write(lineOf(exchange, `${prefix}${fraction}Z`));
    },
  };
}

function lineOf(
  { request, reply, bytes, durationMs, complete }: ServedExchange,
  time: string,
): string {
  const { note } = reply;
  let line = `{"time":"${time}","level":"info","kind":"access","request_id":${jsonText(request.id)},"method":${jsonText(request.method)},"route":${jsonText(note.route)}`;
  if (note.repository !== undefined) line += `,"repo":${jsonText(note.repository)}`;
  if (note.reference !== undefined) line += `,"reference":${jsonText(note.reference)}`;
  if (note.digest !== undefined) line += `,"digest":${jsonText(note.digest)}`;
  if (note.ns !== undefined) line += `,"ns":${jsonText(note.ns)}`;
  if (request.query !== '') {
    const query = shownQuery(request.query);
    if (query !== '') line += `,"query":${jsonText(query)}`;
  }
  line += `,"status":${reply.status},"bytes":${bytes},"dur_ms":${Math.round(durationMs * 1000) / 1000}`;
  if (note.verdict !== undefined) line += `,"cache":"${note.verdict}"`;
  if (note.principal !== undefined) line += `,"principal":${jsonText(note.principal)}`;
  if (note.reason !== undefined) line += `,"reason":${jsonText(note.reason, reasonCharactersMax)}`;
  if (note.rule !== undefined) line += `,"rule":${jsonText(note.rule)}`;
  line += `,"client_ip":${jsonText(request.clientAddress)}`;
  const agent = request.headers['user-agent'];
  if (agent !== undefined) line += `,"ua":${jsonText(agent, 256)}`;
  return `${line},"complete":${complete}}\n`;
}

function shownQuery(query: string): string {
  const parameters = query.slice(0, queryCharactersMax).split('&');
  return parameters.filter((parameter) => shown.has(parameter.split('=', 1)[0] ?? '')).join('&');
}
