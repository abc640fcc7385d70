import type { Clock } from '../ports/clock.ts';
import { jsonText } from './json-text.ts';
import type { LogOutput } from './log-output.ts';
import { perNote } from './note-memory.ts';
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
  const textsOf = perNote(noteTexts);
  let millisecond = Number.NaN;
  let second = Number.NaN;
  let prefix = '';
  let time = '';
  return {
    served(exchange) {
      const now = Math.floor(clock.now());
      if (now !== millisecond) {
        millisecond = now;
        const fraction = ((now % 1000) + 1000) % 1000;
        if (now - fraction !== second) {
          second = now - fraction;
          prefix = new Date(second).toISOString().slice(0, -4);
        }
        time = `${prefix}${String(1000 + fraction).slice(1)}Z`;
      }
      output.write(lineOf(exchange, textsOf(exchange.reply), time));
    },
  };
}

/** Those parts of a line that follow from its note. */
interface NoteTexts {
  readonly what: string;
  readonly verdict: string;
  readonly rule: string;
}

function noteTexts(note: ServedExchange['reply']['note']): NoteTexts {
  const what = [`,"route":${jsonText(note.route)}`];
  if (note.repository !== undefined) what.push(`,"repo":${jsonText(note.repository)}`);
  if (note.reference !== undefined) what.push(`,"reference":${jsonText(note.reference)}`);
  if (note.digest !== undefined) what.push(`,"digest":${jsonText(note.digest)}`);
  if (note.ns !== undefined) what.push(`,"ns":${jsonText(note.ns)}`);
  return {
    what: what.join(''),
    verdict: note.verdict === undefined ? '' : `,"cache":"${note.verdict}"`,
    rule: note.rule === undefined ? '' : `,"rule":${jsonText(note.rule)}`,
  };
}

function lineOf(
  { request, reply, bytes, durationMs, complete }: ServedExchange,
  { what, verdict, rule }: NoteTexts,
  time: string,
): string {
  const { principal, note } = reply;
  const { reason } = note;
  const query = request.query === '' ? '' : shownQuery(request.query);
  const agent = request.headers['user-agent'];
  return `{"time":"${time}","level":"info","kind":"access","request_id":${jsonText(request.id)},"method":${jsonText(request.method)}${what}${
    query === '' ? '' : `,"query":${jsonText(query)}`
  },"status":${reply.status},"bytes":${bytes},"dur_ms":${Math.round(durationMs * 1000) / 1000}${verdict}${
    principal === undefined ? '' : `,"principal":${jsonText(principal)}`
  }${
    reason === undefined ? '' : `,"reason":${jsonText(reason, reasonCharactersMax)}`
  }${rule},"client_ip":${jsonText(request.clientAddress)}${
    agent === undefined ? '' : `,"ua":${jsonText(agent, 256)}`
  },"complete":${complete}}\n`;
}

function shownQuery(query: string): string {
  const parameters = query.slice(0, queryCharactersMax).split('&');
  return parameters.filter((parameter) => shown.has(parameter.split('=', 1)[0] ?? '')).join('&');
}
