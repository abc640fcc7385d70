import { fileURLToPath } from 'node:url';
import type { Breakwater } from './breakwater.ts';

/** What startBreakwater needs in `env` so that `countCalls` can attach. */
export const inspectable: Readonly<Record<string, string>> = {
  NODE_OPTIONS: '--inspect=127.0.0.1:0',
};

/** Which source files ran, by V8's counts of calls. The main thread's and those of its workers. */
export interface CallCoverage extends Disposable {
  /** Files in which a function was called since the last take, as `file:` URLs; functions that were inlined count too. */
  take(): Promise<ReadonlySet<string>>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
}

interface Script {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[];
}

type Send = (method: string, params?: object) => Promise<unknown>;

/** Attaches to a server that was started with `inspectable`. */
export async function countCalls(server: Pick<Breakwater, 'logs'>): Promise<CallCoverage> {
  const url = /Debugger listening on (ws:\S+)/.exec(server.logs())?.[1];
  if (url === undefined) throw new Error('the server was not started with `inspectable`');
  const socket = new WebSocket(url);
  const opened = Promise.withResolvers<void>();
  socket.addEventListener('open', () => opened.resolve());
  socket.addEventListener('error', () => opened.reject(new Error(`no debugger at ${url}`)));
  await opened.promise;

  const workers: Conversation[] = [];
  const main = converse((text) => socket.send(text));
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    const { sessionId, message: text } = (message.params ?? {}) as Readonly<Record<string, string>>;
    if (message.method === 'NodeWorker.attachedToWorker' && sessionId !== undefined) {
      workers[Number(sessionId)] = converse((inner) => {
        void main.send('NodeWorker.sendMessageToWorker', { sessionId, message: inner });
      });
    } else if (message.method === 'NodeWorker.receivedMessageFromWorker') {
      workers[Number(sessionId)]?.heard(JSON.parse(text ?? '') as Message);
    } else main.heard(message);
  });
  await main.send('NodeWorker.enable', { waitForDebuggerOnStart: false });
  const threads = [main, ...Object.values(workers)];
  await Promise.all(threads.map(({ send }) => startCounting(send)));
  return {
    take: async () => new Set((await Promise.all(threads.map(({ send }) => called(send)))).flat()),
    [Symbol.dispose]: () => socket.close(),
  };
}

interface Conversation {
  readonly send: Send;
  heard(message: Message): void;
}

function converse(write: (text: string) => void): Conversation {
  const waiting = new Map<number, (result: unknown) => void>();
  let last = 0;
  return {
    send: (method, params = {}) => {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      waiting.set(++last, resolve);
      write(JSON.stringify({ id: last, method, params }));
      return promise;
    },
    heard: ({ id, result }) => {
      if (id === undefined) return;
      waiting.get(id)?.(result);
      waiting.delete(id);
    },
  };
}

async function startCounting(send: Send): Promise<void> {
  await send('Profiler.enable');
  await send('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
}

/** Taking sets the counts to zero. */
async function called(send: Send): Promise<string[]> {
  const { result } = (await send('Profiler.takePreciseCoverage')) as { result: readonly Script[] };
  return result
    .filter(({ functions }) => functions.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0))
    .map(({ url }) => url);
}

/** The URLs below the folder that `base` names, as paths relative to it, sorted. */
export function filesBelow(base: URL, urls: Iterable<string>): string[] {
  const folder = fileURLToPath(base);
  return [...urls]
    .filter((url) => url.startsWith('file:'))
    .map((url) => fileURLToPath(url))
    .filter((path) => path.startsWith(folder))
    .map((path) => path.slice(folder.length))
    .toSorted();
}
