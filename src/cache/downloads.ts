import { RegistryError } from '../domain/errors.ts';
import { Download, NoSpace, type DownloadParts, type DownloadRequest } from './download.ts';
import { waitUnder } from './single-flight.ts';

const clientlessMax = 16;
const turnWaitMs = 10_000;

/** All downloads under way: one per owner and digest (design.md §3, "Downloads"). */
export interface Downloads extends AsyncDisposable {
  /**
   * The running download of (`owner`, digest), or a new one, once upstream has answered it; `joined` says whether it ran
   * already. Throws the upstream's failure, `NoSpace`, or `unavailable` when `downloadsMax` stay busy for 10 s.
   */
  join(
    request: DownloadRequest,
    signal: AbortSignal,
  ): Promise<{ readonly download: Download; readonly joined: boolean }>;
  /** The running one, whether upstream has answered it or not. */
  find(owner: string, digest: string): Download | undefined;
  readonly count: number;
}

export function createDownloads(parts: DownloadParts, downloadsMax: number): Downloads {
  const running = new Map<string, Download>();
  const queue: (() => void)[] = [];
  let ended = false;

  /** A place among the running ones, or `unavailable` after 10 s. */
  async function takeTurn(signal: AbortSignal): Promise<void> {
    if (running.size < downloadsMax) return;
    parts.events.emit({ type: 'throttled', upstream: '', reason: 'downloads' });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    queue.push(resolve);
    using _timer = parts.clock.after(turnWaitMs, () => {
      const at = queue.indexOf(resolve);
      if (at >= 0) queue.splice(at, 1);
      reject(
        new RegistryError('unavailable', 'too many downloads are under way', {
          detail: { limit: 'limits.downloads', value: downloadsMax },
          retryAfterMs: turnWaitMs,
        }),
      );
    });
    try {
      await waitUnder(promise, signal);
    } catch (error) {
      const at = queue.indexOf(resolve);
      if (at >= 0) queue.splice(at, 1);
      // The place came while its waiter was leaving: the next one has it.
      else if (running.size < downloadsMax) queue.shift()?.();
      throw error;
    }
  }

  function start(key: string, request: DownloadRequest): Download {
    const download = new Download(request, parts);
    running.set(key, download);
    const upstream = request.rule.urls[0]?.host ?? '';
    parts.events.emit({
      type: 'downloadStarted',
      rule: request.rule.prefix,
      digest: request.digest,
      upstream,
    });
    void download.closed.then(() => {
      if (running.get(key) === download) running.delete(key);
      queue.shift()?.();
    });
    return download;
  }

  /** Beyond 16 fills that no client reads, the oldest pauses; its partial is taken up when somebody asks again. */
  function pauseOldestClientless(): void {
    const clientless = [...running.values()].filter(
      (one) => one.readers === 0 && one.state === 'running',
    );
    for (const download of clientless.slice(0, Math.max(0, clientless.length - clientlessMax))) {
      download.pause(new Error('paused: more than 16 downloads have no client'));
    }
  }

  async function join(
    request: DownloadRequest,
    signal: AbortSignal,
  ): ReturnType<Downloads['join']> {
    const key = `${request.owner} ${request.digest}`;
    for (;;) {
      if (ended)
        throw new RegistryError('unavailable', 'the server is shutting down', {
          retryAfterMs: 1000,
        });
      let download = running.get(key);
      if (download?.state === 'overflow') throw new NoSpace();
      if (download?.state === 'failed') {
        await waitUnder(download.closed, signal);
        continue;
      }
      const joined = download !== undefined;
      if (download === undefined) {
        await takeTurn(signal);
        if (running.has(key)) continue;
        download = start(key, request);
      }
      download.attach(1);
      try {
        await waitUnder(download.started, signal);
        return { download, joined };
      } finally {
        download.attach(-1);
        pauseOldestClientless();
      }
    }
  }

  return {
    join,
    find: (owner, digest) => running.get(`${owner} ${digest}`),
    get count() {
      return running.size;
    },
    [Symbol.asyncDispose]: async () => {
      ended = true;
      const all = [...running.values()];
      for (const download of all)
        if (download.state === 'running') download.pause(new Error('the server is shutting down'));
      await Promise.all(all.map((download) => download.closed));
    },
  };
}
