import type { ReplyNote, Served } from '../domain/served.ts';
import type { LogOutput } from './log-output.ts';

/** Query parameters that may be shown; all others may hold secrets. */
const shown: ReadonlySet<string> = new Set(['ns', 'n', 'last', 'artifactType']);
const queryCharactersMax = 2048;
const reasonCharactersMax = 1024;
const agentCharactersMax = 256;

/** One JSON line a request. */
export interface AccessLog {
  /** What writes the lines of requests that are answered with this note. */
  of(note: ReplyNote): AnswerLines;
}

export function createAccessLog(output: LogOutput): AccessLog {
  const beginning = createBeginning();
  return { of: (note) => new AnswerLines(note, beginning, output) };
}

/** The lines of requests that are answered with one note. What of the last one follows from more than the note serves the next that is alike. */
export class AnswerLines {
  readonly #beginning: Beginning;
  readonly #output: LogOutput;
  readonly #what: string;
  readonly #verdict: string;
  readonly #reason: string;
  readonly #last = { method: '', query: '', status: 0, bytes: -1, text: '' };
  readonly #lastEnd: End = {
    principal: undefined,
    clientAddress: '',
    agent: undefined,
    complete: false,
    text: '',
  };

  constructor(note: ReplyNote, beginning: Beginning, output: LogOutput) {
    this.#beginning = beginning;
    this.#output = output;
    this.#what = [
      `,"route":${jsonText(note.route)}`,
      field('operation', note.operation),
      field('repo', note.repository),
      field('reference', note.reference),
      field('digest', note.digest),
      field('ns', note.ns),
    ].join('');
    this.#verdict = field('cache', note.verdict);
    this.#reason = field('reason', note.reason, reasonCharactersMax) + field('rule', note.rule);
  }

  /** `at`: wall ms. */
  write(served: Served, at: number): void {
    const { request, durationMs } = served;
    this.#output.write(
      `${this.#beginning(at)}${jsonText(request.id)}${this.#middleOf(served)}${decimals(durationMs)}${this.#endOf(served)}`,
    );
  }

  /** From the id to the duration. */
  #middleOf({ request: { method, query }, reply: { status }, bytes }: Served): string {
    const last = this.#last;
    const isSame =
      last.method === method &&
      last.query === query &&
      last.status === status &&
      last.bytes === bytes;
    if (isSame) return last.text;
    const shownText = query === '' ? '' : shownQuery(query);
    const queryText = shownText === '' ? '' : field('query', shownText);
    const text = `,"method":${jsonText(method)}${this.#what}${queryText},"status":${status},"bytes":${bytes},"dur_ms":`;
    Object.assign(last, { method, query, status, bytes, text });
    return text;
  }

  /** Behind the duration. */
  #endOf({ request, reply: { principal }, complete }: Served): string {
    const last = this.#lastEnd;
    const { clientAddress } = request;
    const agent = request.headers['user-agent'];
    const isSame =
      last.clientAddress === clientAddress &&
      last.agent === agent &&
      last.principal === principal &&
      last.complete === complete;
    if (isSame) return last.text;
    const client = field('client_ip', clientAddress) + field('ua', agent, agentCharactersMax);
    const text = `${this.#verdict}${field('principal', principal)}${this.#reason}${client},"complete":${complete}}\n`;
    Object.assign(last, { principal, clientAddress, agent, complete, text });
    return text;
  }
}

interface End {
  principal: string | undefined;
  clientAddress: string;
  agent: string | undefined;
  complete: boolean;
  text: string;
}

/** A line up to its id, from the wall ms. */
type Beginning = (at: number) => string;

/** Lines come many a millisecond. */
function createBeginning(): Beginning {
  let millisecond = Number.NaN;
  let second = Number.NaN;
  let prefix = '';
  let text = '';
  return (at) => {
    const now = Math.floor(at);
    if (now === millisecond) return text;
    millisecond = now;
    const fraction = ((now % 1000) + 1000) % 1000;
    if (now - fraction !== second) {
      second = now - fraction;
      prefix = new Date(second).toISOString().slice(0, -4);
    }
    const time = `${prefix}${String(1000 + fraction).slice(1)}Z`;
    text = `{"time":"${time}","level":"info","kind":"access","request_id":`;
    return text;
  };
}

function shownQuery(query: string): string {
  const parameters = query.slice(0, queryCharactersMax).split('&');
  return parameters.filter((parameter) => shown.has(parameter.split('=', 1)[0] ?? '')).join('&');
}

/** Empty where there is no value. */
function field(name: string, value: string | undefined, charactersMax?: number): string {
  return value === undefined ? '' : `,"${name}":${jsonText(value, charactersMax)}`;
}

/** `.5` for 500: a whole number and such a text are much sooner made than the text of a number with a fraction. */
const thousandths: readonly string[] = Array.from({ length: 1000 }, (_, count) =>
  String(count / 1000).slice(1),
);

/** Three decimals at most. */
function decimals(ms: number): string {
  const thousands = Math.round(ms * 1000);
  return `${Math.floor(thousands / 1000)}${thousandths[thousands % 1000] ?? ''}`;
}

/** What JSON can't hold as it is, and the line separators that some readers split at. */
const unsafe = /["\\\p{Cc}\p{Cs}\u2028\u2029]/u;

/** A string as JSON text; plain ones cost a look. Longer than `charactersMax` is cut. */
function jsonText(text: string, charactersMax: number = 512): string {
  const bounded = text.length > charactersMax ? text.slice(0, charactersMax) : text;
  return unsafe.test(bounded) ? JSON.stringify(bounded) : `"${bounded}"`;
}
