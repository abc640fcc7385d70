import { repeat } from '../../coordination/repeat.ts';
import { Turns } from '../../coordination/turns.ts';
import { waitUnder } from '../../coordination/waiting.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import { NoSpace } from './arriving-file.ts';
import { Download } from './download.ts';
import type { DownloadParts, DownloadRequest } from './download.ts';

const unreadMost = 16;
/** A fill that no client reads and that brings less than this in that time gives its place to others. */
const slowBytes = 1024 * 1024;
const slowMs = 60_000;
/** Between a client's answer and its first read nobody reads either. */
const leftMs = 1000;
/** How long a client waits for a place. */
const placeWaitMs = 10_000;

/**
 * Why a fill without clients ended; its partial is kept, and taken up when somebody asks again. A client that was answered, and
 * has not begun to read for want of a buffer, gets this error.
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
export class Downloads implements AsyncDisposable {
  readonly #parts: DownloadParts;
  /** Of each upstream, so that one that hangs leaves the others theirs. */
  readonly #places: Turns;
  readonly #running = new Map<string, Download>();
  #ended = false;

  /** So many of one upstream run at once. */
  constructor(parts: DownloadParts, downloadsMax: number) {
    this.#parts = parts;
    this.#places = new Turns(parts.clock, {
      atOnce: downloadsMax,
      patience: { ms: placeWaitMs, late: (upstream) => tooMany(upstream, downloadsMax) },
    });
  }

  get count(): number {
    return this.#running.size;
  }

  /** The running one, whether upstream has answered it or not. */
  find(owner: string, digest: string): Download | undefined {
    return this.#running.get(`${owner} ${digest}`);
  }

  /**
   * The running download of (`owner`, digest), or a new one, once upstream has answered it; `joined` says whether it ran
   * already. Throws the upstream's failure, `NoSpace`, or `unavailable` when all places of the upstream stay taken for 10 s.
   * With `background` nobody waits for the bytes: clients' downloads go first, and it waits for its place.
   */
  async join(
    request: DownloadRequest,
    signal: AbortSignal,
    background = false,
  ): Promise<{ readonly download: Download; readonly joined: boolean }> {
    for (;;) {
      if (this.#ended) throw shuttingDown();
      const running = this.find(request.owner, request.digest);
      if (running?.state === 'overflow') throw new NoSpace();
      if (running !== undefined && isEnding(running)) {
        await waitUnder(running.closed, signal);
        continue;
      }
      const download = running ?? (await this.#start(request, signal, background));
      if (download === undefined) continue;
      using _attached = background ? undefined : download.attach();
      if (!background) this.#pauseSurplus(request.rule);
      await waitUnder(download.started, signal);
      return { download, joined: running !== undefined };
    }
  }

  /** `undefined` where another one began it, or all ended, while a place was waited for. */
  async #start(
    request: DownloadRequest,
    signal: AbortSignal,
    background: boolean,
  ): Promise<Download | undefined> {
    const key = `${request.owner} ${request.digest}`;
    const upstream = upstreamOf(request.rule);
    const place = await this.#takePlace(upstream, background, signal);
    if (this.#ended || this.#running.has(key)) {
      place[Symbol.dispose]();
      return undefined;
    }
    const download = new Download(request, this.#parts);
    this.#running.set(key, download);
    this.#parts.events.emit({
      type: 'downloadStarted',
      rule: request.rule.prefix,
      digest: request.digest,
      upstream,
    });
    const watch = this.#watchPace(download);
    void download.closed.then(() => {
      watch[Symbol.dispose]();
      this.#running.delete(key);
      place[Symbol.dispose]();
    });
    return download;
  }

  /** A background fill waits behind all clients, for as long as its signal lets it. */
  async #takePlace(
    upstream: string,
    background: boolean,
    signal: AbortSignal,
  ): Promise<Disposable> {
    if (background) return await this.#places.takeLast(upstream, signal);
    if (this.#places.isFull(upstream)) {
      this.#parts.events.emit({ type: 'throttled', upstream, reason: 'downloads' });
      const left = this.#unreadOf(upstream).find((one) => this.#isLeft(one));
      left?.pause(new DownloadPaused('paused: a client waits for its place', true));
    }
    return await this.#places.take(upstream, signal);
  }

  /** An upstream that drips would hold a fill's place for ever. */
  #watchPace(download: Download): Disposable {
    let before = 0;
    return repeat(this.#parts.clock, slowMs, () => {
      if (!download.isRunning) return;
      const { arrivedBytes: arrived } = download.file;
      const came = arrived < before ? arrived : arrived - before;
      before = arrived;
      if (download.readers === 0 && came < slowBytes)
        download.pause(new DownloadPaused('paused: it comes too slowly, and has no client'));
    });
  }

  /** A client's download begins: the oldest that nobody reads make room for it. Their partials are kept. */
  #pauseSurplus(rule: PullRule): void {
    const unread = this.#unreadOf(upstreamOf(rule));
    const max = unreadMax(rule);
    const surplus = Math.max(0, unread.length - max);
    for (const download of unread.filter((one) => this.#isLeft(one)).slice(0, surplus))
      download.pause(new DownloadPaused(`paused: more than ${max} downloads have no client`, true));
  }

  /** Ends those that no client reads and whose rule is not in force any more. */
  pauseUnread(inForce: (request: DownloadRequest) => boolean): void {
    for (const download of this.#running.values()) {
      if (download.readers === 0 && download.isRunning && !inForce(download.request))
        download.pause(new DownloadPaused('paused: its rule is not in force any more'));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    const all = [...this.#running.values()];
    for (const download of all)
      if (download.state === 'running') download.pause(new Error('the server is shutting down'));
    await Promise.all(all.map((download) => download.closed));
  }

  #unreadOf(upstream: string): readonly Download[] {
    return [...this.#running.values()].filter(
      (one) => one.readers === 0 && one.isRunning && upstreamOf(one.request.rule) === upstream,
    );
  }

  #isLeft({ leftAt }: Download): boolean {
    return leftAt <= this.#parts.clock.elapsed() - leftMs;
  }
}

function upstreamOf(rule: PullRule): string {
  return rule.urls[0].host;
}

/** It failed, or is about to end: nobody should follow it. */
function isEnding(download: Download): boolean {
  return download.state === 'failed' || (download.state === 'running' && !download.isRunning);
}

function shuttingDown(): RegistryError {
  return new RegistryError('unavailable', 'the server is shutting down', { retryAfterMs: 1000 });
}

function tooMany(upstream: string, placesMax: number): RegistryError {
  return new RegistryError('unavailable', 'too many downloads are under way', {
    detail: { limit: 'limits.downloads', value: placesMax, upstream },
    retryAfterMs: placeWaitMs,
  });
}
