import { RegistryError } from '../../domain/errors.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import { createDownloadPlaces } from './download-places.ts';
import { Download, NoSpace, type DownloadParts, type DownloadRequest } from './download.ts';
import { waitUnder } from '../../coordination/waiting.ts';

const unreadMost = 16;
/** A fill that no client reads and that brings less than this in that time gives its place to others. */
const slowBytes = 1024 * 1024;
const slowMs = 60_000;
/** Between a client's answer and its first read nobody reads either. */
const leftMs = 1000;

/**
 * Why a fill without clients ended; its partial is kept, and taken up when somebody asks again. A client that was answered, and
 * has not begun to read for want of a buffer, is told so.
 */
export class DownloadPaused extends RegistryError {
  override readonly name = 'DownloadPaused';
  /** It may be asked for again at once: it waits then until a place is free. */
  readonly again: boolean;

  constructor(message: string, again = false) {
    super('unavailable', message, { retryAfterMs: 1000 });
    this.again = again;
  }
}

/** Downloads of one upstream that may run with no client: an eighth of its connections, one at least, is left to those who come. */
export function unreadMax({ maxConnections }: PullRule): number {
  return Math.min(unreadMost, maxConnections - Math.max(1, Math.floor(maxConnections / 8)));
}

/** All downloads under way: one per owner and digest (ARCHITECTURE.md, "Downloads"). */
export interface Downloads extends AsyncDisposable {
  /**
   * The running download of (`owner`, digest), or a new one, once upstream has answered it; `joined` says whether it ran
   * already. Throws the upstream's failure, `NoSpace`, or `unavailable` when `downloadsMax` of the upstream stay busy for 10 s.
   * With `background` nobody waits for the bytes: clients' downloads go first, and it waits for its place.
   */
  join(
    request: DownloadRequest,
    signal: AbortSignal,
    background?: boolean,
  ): Promise<{ readonly download: Download; readonly joined: boolean }>;
  /** The running one, whether upstream has answered it or not. */
  find(owner: string, digest: string): Download | undefined;
  /** Ends those that no client reads and whose rule is not in force any more. */
  pauseUnread(inForce: (rule: PullRule) => boolean): void;
  readonly count: number;
}

export function createDownloads(parts: DownloadParts, downloadsMax: number): Downloads {
  const running = new Map<string, Download>();
  const places = createDownloadPlaces(parts, downloadsMax, (upstream) => {
    const [left] = unreadOf(upstream).filter(isLeft);
    left?.pause(new DownloadPaused('paused: a client waits for its place', true));
  });
  let ended = false;

  function start(key: string, request: DownloadRequest, place: Disposable): Download {
    const download = new Download(request, parts);
    running.set(key, download);
    parts.events.emit({
      type: 'downloadStarted',
      rule: request.rule.prefix,
      digest: request.digest,
      upstream: upstreamOf(request),
    });
    const watch = watchPace(download);
    void download.closed.then(() => {
      watch[Symbol.dispose]();
      if (running.get(key) === download) running.delete(key);
      place[Symbol.dispose]();
    });
    return download;
  }

  /** An upstream that drips would hold a fill's place for ever. */
  function watchPace(download: Download): Disposable {
    let before = 0;
    const again = (): Disposable =>
      parts.clock.after(slowMs, () => {
        if (!isRunning(download)) return;
        const arrived = download.arrivedBytes;
        const came = arrived < before ? arrived : arrived - before;
        before = arrived;
        if (download.readers === 0 && came < slowBytes)
          download.pause(new DownloadPaused('paused: it comes too slowly, and has no client'));
        else timer = again();
      });
    let timer = again();
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  const unreadOf = (upstream: string): readonly Download[] =>
    [...running.values()].filter(
      (one) => one.readers === 0 && isRunning(one) && upstreamOf(one.request) === upstream,
    );

  const isLeft = ({ leftAt }: Download): boolean => leftAt <= parts.clock.elapsed() - leftMs;

  /** A client's download begins: the oldest that nobody reads make room for it. Their partials are kept. */
  function pauseSurplus({ rule }: DownloadRequest, upstream: string): void {
    const unread = unreadOf(upstream);
    const max = unreadMax(rule);
    for (const download of unread.filter(isLeft).slice(0, Math.max(0, unread.length - max)))
      download.pause(new DownloadPaused(`paused: more than ${max} downloads have no client`, true));
  }

  async function join(
    request: DownloadRequest,
    signal: AbortSignal,
    background = false,
  ): ReturnType<Downloads['join']> {
    const key = `${request.owner} ${request.digest}`;
    const upstream = upstreamOf(request);
    for (;;) {
      if (ended)
        throw new RegistryError('unavailable', 'the server is shutting down', {
          retryAfterMs: 1000,
        });
      let download = running.get(key);
      if (download?.state === 'overflow') throw new NoSpace();
      if (download?.state === 'failed' || isPausing(download)) {
        await waitUnder(download.closed, signal);
        continue;
      }
      const joined = download !== undefined;
      if (download === undefined) {
        const place = await places.take(upstream, background, signal);
        if (ended || running.has(key)) {
          place[Symbol.dispose]();
          continue;
        }
        download = start(key, request, place);
      }
      if (!background) {
        download.attach(1);
        pauseSurplus(request, upstream);
      }
      try {
        await waitUnder(download.started, signal);
        return { download, joined };
      } finally {
        if (!background) download.attach(-1);
      }
    }
  }

  return {
    join,
    find: (owner, digest) => running.get(`${owner} ${digest}`),
    pauseUnread: (inForce) => {
      for (const download of running.values()) {
        if (download.readers === 0 && isRunning(download) && !inForce(download.request.rule))
          download.pause(new DownloadPaused('paused: its rule is not in force any more'));
      }
    },
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

function upstreamOf({ rule }: DownloadRequest): string {
  return rule.urls[0]?.host ?? '';
}

function isRunning(download: Download): boolean {
  return download.state === 'running' && !download.signal.aborted;
}

/** Told to end, and not there yet: nobody should follow it. */
function isPausing(download: Download | undefined): download is Download {
  return download?.state === 'running' && download.signal.aborted;
}
