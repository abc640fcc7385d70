/** A closed interval of byte positions, as in an HTTP range: `end` is the last byte, not one past it. */
export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

/** Reads bytes in order into buffers that the caller owns. One reader, one owner, closed exactly once. */
export interface ByteReader extends AsyncDisposable {
  /** Fills from the front of `into` and answers how many bytes; 0 is the end. Waits while bytes are still arriving; throws when they never will. */
  read(into: Uint8Array): Promise<number>;
  /** Absent where bytes are always at hand. */
  readonly arrival?: Arrival;
}

/** Bytes that may still have to come: who waits for them holds no memory meanwhile. */
export interface Arrival {
  /** A read finds bytes, the end or a failure without waiting for anyone. */
  isHere(): boolean;
  /** Resolves when it is here; may reject with what the read would throw. Not beside a read. */
  wait(): Promise<void>;
}

/** Bytes that are opened only when they go out: a stored blob or a growing download. */
export interface ByteSource {
  /** `undefined`: not known yet; sent chunked, ranges not served. */
  readonly size: number | undefined;
  /** The whole where no span is given. A whole body of unverified bytes ends only after its hash was found right. */
  open(span: ByteSpan | undefined, signal: AbortSignal): Promise<ByteReader>;
}

/** Bytes as they come. */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  /** Chunks are the reader's: it may free the memory of those that own theirs. */
  readonly givesChunksAway?: boolean;
}
