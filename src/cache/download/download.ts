import { contiguousUntil } from '../../domain/byte-range.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { possibleSize } from '../../domain/names/digest.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { Spool, SpoolFile } from '../../ports/spool.ts';
import type { BlobDemand, Upstream } from '../../ports/upstream.ts';
import { fetchBytes } from './download-fetch.ts';
import { askForFirstByte, isProof } from './first-byte.ts';
import { bytesOf } from './piece-plan.ts';
import type { SpaceGate } from '../space/space-gate.ts';
import { isStorageFailure } from '../space/space-gate.ts';
import type { UpstreamSources } from './upstream-sources.ts';
import type { UpstreamPace } from './upstream-pace.ts';

/** What a download reads from and writes to. */
export interface DownloadParts {
  readonly upstream: Upstream;
  readonly spool: Spool;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly events: Events;
  readonly sources: UpstreamSources;
  readonly space: SpaceGate;
  readonly pace: UpstreamPace;
  readonly parallelAboveBytes: number;
  readonly pieceBytes: number;
  readonly connectionsPerBlob: number;
  readonly maxBlobBytes: number;
}

export interface DownloadRequest {
  /** Registry and rule: partials of two owners never meet. */
  readonly owner: string;
  readonly rule: PullRule;
  readonly upstreamRepository: RepositoryName;
  readonly digest: Digest;
  /** A stored descriptor's claim; upstream's word must agree with it. */
  readonly expectedBytes: number | undefined;
  /** Called after the blob was adopted and before the download leaves memory; its failure fails nothing. */
  readonly onStored: (bytes: number) => Promise<void>;
}

/** Thrown to those who wait where the disk can't take the blob: they read from upstream themselves. */
export class NoSpace extends Error {
  override readonly name = 'NoSpace';

  constructor() {
    super('the volume has no room for it');
  }
}

export type DownloadState = 'running' | 'verified' | 'stored' | 'kept' | 'overflow' | 'failed';

/**
 * One fetch of one blob for any number of readers (ARCHITECTURE.md, "Downloads"). It belongs to the cache: readers come and go.
 * `running` → `verified` (hash right; last bytes go out) → `stored` (adopted; the blob store serves) or `kept` (could not be
 * stored; this file serves until its readers are gone). `overflow`: the disk filled up. `failed`: readers get the error.
 */
export class Download {
  readonly request: DownloadRequest;
  readonly parts: DownloadParts;
  readonly startedAt: number;
  state: DownloadState = 'running';
  error: unknown;
  /** Counts up when all bytes were thrown away after a wrong digest: a reader that had some of them must fail. */
  generation = 0;
  readers = 0;
  /** Counts up with each change that `changed` tells. */
  changes = 0;
  /** When the last reader went; long ago where there was none. */
  leftAt: number = Number.NEGATIVE_INFINITY;
  /** What clients read goes before what nobody waits for, where connections are scarce. */
  readonly demand: BlobDemand;
  /** Positions at which readers wait, for steering the next piece. */
  readonly waiting: Set<{ readonly position: number }> = new Set();
  /** Resolves when upstream has answered and the size is known, or bytes flow without one; rejects with the failure. */
  readonly started: Promise<void>;
  /** Resolves when nothing of this download is open any more. Never rejects. */
  readonly closed: Promise<void>;
  readonly #abort = new AbortController();
  readonly #wakeups = new Set<() => void>();
  #file: SpoolFile | undefined;
  #size: number | undefined;
  #activeReads = 0;
  /** The blob's first bytes while they are on their way to the disk, so that the first of them goes out without a detour. */
  #head: Uint8Array = new Uint8Array(0);
  #start: { resolve: () => void; reject: (error: unknown) => void };
  #announced = false;

  constructor(request: DownloadRequest, parts: DownloadParts) {
    this.request = request;
    this.parts = parts;
    this.startedAt = parts.clock.elapsed();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.started = promise;
    this.#start = { resolve, reject };
    promise.catch(() => {});
    const readers = (): number => this.readers;
    this.demand = {
      get wanted() {
        return readers() > 0;
      },
    };
    this.closed = this.#run();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get size(): number | undefined {
    return this.#size;
  }

  get file(): SpoolFile {
    if (this.#file === undefined) throw new Error('the download has no file yet');
    return this.#file;
  }

  get arrivedBytes(): number {
    return this.#file === undefined ? 0 : bytesOf(this.#file.arrived);
  }

  get complete(): boolean {
    return this.#size !== undefined && this.arrivedBytes === this.#size;
  }

  get waitingPositions(): Iterable<number> {
    return [...this.waiting].map((entry) => entry.position);
  }

  /** Bytes in a row from `position` that can be read now. */
  availableFrom(position: number): number {
    const arrived = this.#file?.arrived ?? [];
    const stored = contiguousUntil(arrived, position) - position;
    return Math.max(stored, this.#head.length - position);
  }

  /** Ends the fetch; what has arrived is journalled. Readers get `reason`. */
  pause(reason: Error): void {
    this.#abort.abort(reason);
  }

  /** Reads bytes that have arrived; the file stays open meanwhile. */
  async readArrived(into: Uint8Array, position: number): Promise<number> {
    if (position < this.#head.length) {
      const bytes = this.#head.subarray(position, position + into.length);
      into.set(bytes);
      return bytes.length;
    }
    this.#activeReads += 1;
    try {
      return await this.file.read(into, position);
    } finally {
      this.#activeReads -= 1;
      if (this.#activeReads === 0) this.#wake();
    }
  }

  /** Resolves at the next change of state or bytes. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#wakeups.delete(done);
        signal.removeEventListener('abort', done);
        if (signal.aborted) reject(signal.reason as Error);
        else resolve();
      };
      if (signal.aborted) return done();
      this.#wakeups.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** A reader came (`1`) or went (`-1`). */
  attach(change: 1 | -1): void {
    this.readers += change;
    if (this.readers === 0) {
      this.leftAt = this.parts.clock.elapsed();
      this.#wake();
    }
    if (this.readers !== (change === 1 ? 1 : 0)) return;
    for (const { host } of this.request.rule.urls) this.parts.upstream.reconsider(host);
  }

  /**
   * Upstream's word on the size: checked, and told to the spool; `started` resolves. Throws `NoSpace` where it can't fit. Where
   * there is none nothing ties what came before to what comes now: it begins anew, and shows no reader the former bytes.
   */
  async announce(total: number | undefined, host: string): Promise<void> {
    if (total !== undefined) await this.#setSize(total, host);
    else if (!this.#announced && this.#size === undefined && this.arrivedBytes > 0)
      await this.file.reset();
    this.#announced = true;
    this.#start.resolve();
  }

  /** Writes what a connection brought; readers wake when it can be read. Throws `NoSpace` where the volume can't take it. */
  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    if (position === 0 && this.#head.length === 0) this.#showHead(chunks[0]);
    let bytes = 0;
    for (const chunk of chunks) bytes += chunk.length;
    using room = await this.parts.space.reserve(bytes);
    if (room === undefined) throw new NoSpace();
    await this.file.write(position, chunks);
    room.written();
    if (this.#size === undefined && position + bytes > this.parts.maxBlobBytes)
      throw this.#tooLarge('');
    this.#wake();
  }

  #showHead(chunk: Uint8Array | undefined): void {
    if (chunk === undefined) return;
    this.#head = chunk;
    this.#wake();
  }

  async #setSize(total: number, host: string): Promise<void> {
    const known = this.#size;
    if (known === total) return;
    if (known !== undefined) {
      throw new UpstreamFailure(`upstream says ${total} bytes, expected are ${known}`, {
        kind: 'invalid',
        reason: 'wrongLength',
        upstream: host,
      });
    }
    if (possibleSize(this.request.digest, total) !== total) {
      throw new UpstreamFailure(`upstream says ${total} bytes, which the digest rules out`, {
        kind: 'invalid',
        reason: 'wrongLength',
        upstream: host,
      });
    }
    if (total > this.parts.maxBlobBytes) throw this.#tooLarge(host);
    if (!(await this.parts.space.fits(Math.max(0, total - this.arrivedBytes)))) throw new NoSpace();
    await this.file.expect(total);
    this.#size = total;
    this.#wake();
  }

  #tooLarge(host: string): UpstreamFailure {
    return new UpstreamFailure(
      `the blob is larger than maxBlobBytes (${this.parts.maxBlobBytes})`,
      {
        kind: 'invalid',
        reason: 'tooLarge',
        upstream: host,
      },
    );
  }

  async #run(): Promise<void> {
    const { request, parts } = this;
    let failure: unknown;
    try {
      this.#file = await parts.spool.open(request.owner, request.digest);
      await this.#open();
      await this.#fetchVerified();
      this.#enter('verified');
      await this.#store();
    } catch (error) {
      failure = error;
      await this.#fail(error);
    } finally {
      await this.#close();
      parts.events.emit({
        type: 'downloadEnded',
        rule: request.rule.prefix,
        digest: request.digest,
        bytes: this.#size ?? 0,
        durationMs: parts.clock.elapsed() - this.startedAt,
        error: failure instanceof Error ? failure.message : undefined,
      });
    }
  }

  async #open(): Promise<void> {
    const { digest, expectedBytes } = this.request;
    const size = possibleSize(digest, this.file.size ?? expectedBytes);
    if (size !== undefined) await this.#setSize(size, '');
    if (this.complete) await this.#startComplete();
    const arrived = this.arrivedBytes;
    if (arrived > 0) {
      const upstream = this.request.rule.urls[0]?.host ?? '';
      this.parts.events.emit({
        type: 'downloadResumed',
        upstream,
        digest,
        at: arrived,
      });
    }
  }

  /** All bytes were here already: an earlier process had fetched them and died, maybe for another repository. */
  async #startComplete(): Promise<void> {
    const first = await askForFirstByte(this.parts.upstream, this.request, this.signal);
    if (isProof(first, this.#size) || this.#size === 0) return this.#start.resolve();
    await this.file.reset();
    if (this.#size !== undefined) await this.file.expect(this.#size);
  }

  async #fetchVerified(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const asked = await fetchBytes(this);
      if (await this.file.verify()) return;
      for (const url of asked) {
        this.parts.sources.rest(url, this.request.upstreamRepository, this.request.digest);
        this.parts.events.emit({
          type: 'digestMismatch',
          upstream: url.host,
          digest: this.request.digest,
        });
      }
      this.generation += 1;
      this.#head = new Uint8Array(0);
      await this.file.reset();
      if (this.#size !== undefined) await this.file.expect(this.#size);
      this.#wake();
      if (attempt >= 3) throw wrongDigest(asked.values().next().value?.host ?? '');
    }
  }

  async #store(): Promise<void> {
    const { request, parts } = this;
    try {
      await parts.blobs.adopt(await this.file.seal(request.digest));
    } catch (error) {
      parts.events.emit({ type: 'storageFailed', operation: 'adopt', message: String(error) });
      this.#enter('kept');
      while (this.readers > 0) await this.changed(new AbortController().signal);
      return;
    }
    try {
      await request.onStored(this.#size ?? 0);
    } catch (error) {
      parts.events.emit({
        type: 'storageFailed',
        operation: 'recordFetch',
        message: String(error),
      });
    }
    this.#enter('stored');
  }

  async #fail(error: unknown): Promise<void> {
    this.error = error;
    this.#start.reject(error);
    const broken = isStorageFailure(error);
    if (broken)
      this.parts.events.emit({
        type: 'storageFailed',
        operation: 'download',
        message: String(error),
      });
    this.#enter(broken || error instanceof NoSpace ? 'overflow' : 'failed');
    this.#abort.abort(error);
    if (this.state !== 'overflow' || this.#file === undefined) return;
    while (this.readers > 0) await this.changed(new AbortController().signal);
    await this.#file.discard().catch(() => {});
  }

  async #close(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    while (this.#activeReads > 0) await this.changed(new AbortController().signal);
    try {
      if (this.state === 'failed' && this.arrivedBytes > 0) await file.journal();
      await file[Symbol.asyncDispose]();
    } catch (error) {
      this.parts.events.emit({ type: 'storageFailed', operation: 'close', message: String(error) });
    }
  }

  #enter(state: DownloadState): void {
    this.state = state;
    this.#wake();
  }

  #wake(): void {
    this.changes += 1;
    for (const wake of this.#wakeups) wake();
  }
}

export function wrongDigest(host: string): UpstreamFailure {
  return new UpstreamFailure('the bytes do not match the digest', {
    kind: 'invalid',
    reason: 'wrongDigest',
    upstream: host,
  });
}
