import type { RegistryKey } from '../../domain/names/registry.ts';
import type { UpstreamFailure } from '../../domain/upstream-failure.ts';
import { unusable } from '../../domain/upstream-failure.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Spool } from '../../ports/spool.ts';
import type { BlobDemand } from '../../ports/upstream.ts';
import { isStorageFailure } from '../space/space-gate.ts';
import { ArrivingFile, NoSpace } from './arriving-file.ts';
import type { ArrivingFileParts } from './arriving-file.ts';
import { fetchBytes } from './fetch-bytes.ts';
import type { FetchParts } from './fetch-bytes.ts';
import { askForFirstByte, isProof } from './upstream-blobs.ts';
import type { UpstreamContent } from './upstream-sources.ts';

const attemptsMax = 3;

/** What a download reads from and writes to. */
export interface DownloadParts extends FetchParts, ArrivingFileParts {
  readonly spool: Spool;
  readonly blobs: BlobStore;
}

export interface DownloadRequest extends UpstreamContent {
  /** Registry and rule: partials of two owners never meet. */
  readonly owner: string;
  readonly registry: RegistryKey;
  /** A stored descriptor's claim; upstream's word must agree with it. */
  readonly expectedBytes: number | undefined;
  /** Called after the blob was adopted and before the download leaves memory; its failure fails nothing. */
  readonly onStored: (bytes: number) => Promise<void>;
}

/** ARCHITECTURE.md, "A pull", says what each means for readers. */
export type DownloadState = 'running' | 'verified' | 'stored' | 'kept' | 'overflow' | 'failed';

/** One fetch of one blob for any number of readers (ARCHITECTURE.md, "Downloads"). It belongs to the cache: readers come and go. */
export class Download implements BlobDemand {
  readonly request: DownloadRequest;
  readonly parts: DownloadParts;
  readonly file: ArrivingFile;
  /** Resolves when nothing of this download is open any more. Never rejects. */
  readonly closed: Promise<void>;
  readonly #start = Promise.withResolvers<void>();
  readonly #abort = new AbortController();
  readonly #startedAt: number;
  #state: DownloadState = 'running';
  #error: unknown;
  #readers = 0;
  #leftAt: number = Number.NEGATIVE_INFINITY;

  constructor(request: DownloadRequest, parts: DownloadParts) {
    this.request = request;
    this.parts = parts;
    this.#startedAt = parts.clock.elapsed();
    this.#start.promise.catch(() => {});
    this.file = new ArrivingFile(request.digest, parts, this.#start.resolve);
    this.closed = this.#run();
  }

  /** Resolves when upstream has answered and the size is known, or bytes flow without one; rejects with the failure. */
  get started(): Promise<void> {
    return this.#start.promise;
  }

  get state(): DownloadState {
    return this.#state;
  }

  /** What it failed with. */
  get error(): unknown {
    return this.#error;
  }

  get size(): number | undefined {
    return this.file.size;
  }

  get readers(): number {
    return this.#readers;
  }

  get wanted(): boolean {
    return this.#readers > 0;
  }

  /** When the last reader went, monotonic ms; long ago where there was none. */
  get leftAt(): number {
    return this.#leftAt;
  }

  /** Neither over nor about to end. */
  get isRunning(): boolean {
    return this.#state === 'running' && !this.#abort.signal.aborted;
  }

  /** Ends the fetch; what has arrived is journalled. Readers get `reason`. */
  pause(reason: Error): void {
    this.#abort.abort(reason);
  }

  /** A reader comes; disposing says that it went. */
  attach(): Disposable {
    this.#readers += 1;
    if (this.#readers === 1) this.#reconsider();
    let left = false;
    return {
      [Symbol.dispose]: () => {
        if (left) return;
        left = true;
        this.#readers -= 1;
        if (this.#readers > 0) return;
        this.#leftAt = this.parts.clock.elapsed();
        this.file.wake();
        this.#reconsider();
      },
    };
  }

  /** For one who needs the whole of it and reads nothing yet, as a push does: it goes before what nobody waits for, and does not pause. */
  async attachWhileRunning(signal: AbortSignal): Promise<void> {
    using _attached = this.attach();
    while (this.#state === 'running') await this.file.changed(signal);
  }

  /** Where connections are scarce, what has readers goes first. */
  #reconsider(): void {
    for (const { host } of this.request.rule.urls) this.parts.upstream.reconsider(host);
  }

  async #run(): Promise<void> {
    const { request, parts, file } = this;
    let failure: unknown;
    try {
      await file.open(parts.spool, request.owner, request.expectedBytes);
      await this.#takeUp();
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
        bytes: file.size ?? 0,
        durationMs: parts.clock.elapsed() - this.#startedAt,
        error: failure instanceof Error ? failure.message : undefined,
      });
    }
  }

  /** What an earlier attempt left: where that is all, it starts at once if upstream has the blob here, since the attempt may have been another repository's. */
  async #takeUp(): Promise<void> {
    const { request, parts, file } = this;
    if (file.isComplete) {
      const first = await askForFirstByte(parts.upstream, request, this.#abort.signal);
      if (isProof(first, file.size) || file.size === 0) this.#start.resolve();
      else await file.startOver();
    }
    if (file.arrivedBytes === 0) return;
    parts.events.emit({
      type: 'downloadResumed',
      upstream: request.rule.urls[0].host,
      digest: request.digest,
      at: file.arrivedBytes,
    });
  }

  async #fetchVerified(): Promise<void> {
    const { request, parts, file } = this;
    const { upstreamRepository, digest } = request;
    const wanted = { ...request, demand: this };
    for (let attempt = 1; ; attempt += 1) {
      // Those bytes may be another repository's or an earlier process's: nobody here is to blame for them.
      const resumed = file.arrivedBytes > 0;
      const asked = await fetchBytes(file, wanted, parts, this.#abort.signal);
      if (await file.spooled.verify()) return;
      for (const url of asked) {
        if (!resumed) parts.sources.rest(url, upstreamRepository, digest);
        parts.events.emit({ type: 'digestMismatch', upstream: url.host, digest });
      }
      await file.startOver();
      if (attempt >= attemptsMax) throw wrongDigest(asked.values().next().value?.host ?? '');
    }
  }

  async #store(): Promise<void> {
    const { request, parts, file } = this;
    try {
      await parts.blobs.adopt(await file.spooled.seal(request.digest));
    } catch (error) {
      this.#storageFailed('adopt', error);
      this.#enter('kept');
      while (this.#readers > 0) await file.changed();
      return;
    }
    try {
      await request.onStored(file.size ?? 0);
    } catch (error) {
      this.#storageFailed('recordFetch', error);
    }
    this.#enter('stored');
  }

  async #fail(error: unknown): Promise<void> {
    this.#error = error;
    this.#start.reject(error);
    const isBroken = isStorageFailure(error);
    if (isBroken) this.#storageFailed('download', error);
    this.#enter(isBroken || error instanceof NoSpace ? 'overflow' : 'failed');
    this.#abort.abort(error);
    if (this.#state !== 'overflow' || !this.file.isOpen) return;
    while (this.#readers > 0) await this.file.changed();
    await this.file.spooled.discard().catch(() => {});
  }

  async #close(): Promise<void> {
    try {
      await this.file.close(this.#state === 'failed');
    } catch (error) {
      this.#storageFailed('close', error);
    }
  }

  #enter(state: DownloadState): void {
    this.#state = state;
    this.file.wake();
  }

  #storageFailed(operation: string, error: unknown): void {
    this.parts.events.emit({ type: 'storageFailed', operation, message: String(error) });
  }
}

export function wrongDigest(host: string): UpstreamFailure {
  return unusable('the bytes do not match the digest', 'wrongDigest', host);
}
