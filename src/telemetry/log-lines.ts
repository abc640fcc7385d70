/** Bytes of a block that goes out as one piece … */
export const pieceBytes: number = 65_536;
/** … and room for the line that fills it, whatever it is made of. */
const blockBytes = pieceBytes + 32_768;
/** A character of a JavaScript string is three bytes of UTF-8 at most. */
const characterBytesMax = 3;

/** Lines that wait to be written, as bytes: what each was put together of is garbage at once, and not when it goes out. */
export class LogLines {
  /** In their order, before what is in the block. */
  #pieces: Uint8Array[] = [];
  #block: Buffer | undefined;
  #filled = 0;
  #bytes = 0;

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  add(lines: string): void {
    if (lines.length * characterBytesMax > blockBytes - this.#filled) {
      this.#close();
      if (lines.length * characterBytesMax > blockBytes) {
        const piece = Buffer.from(lines);
        this.#pieces.push(piece);
        this.#bytes += piece.length;
        return;
      }
    }
    this.#block ??= Buffer.allocUnsafeSlow(blockBytes);
    const written = this.#block.write(lines, this.#filled);
    this.#filled += written;
    this.#bytes += written;
    if (this.#filled >= pieceBytes) this.#close();
  }

  /** The first piece of what waits; `undefined`: nothing does. */
  take(): Uint8Array | undefined {
    if (this.#pieces.length === 0) this.#close();
    const piece = this.#pieces.shift();
    this.#bytes -= piece?.length ?? 0;
    return piece;
  }

  #close(): void {
    if (this.#block !== undefined && this.#filled > 0)
      this.#pieces.push(this.#block.subarray(0, this.#filled));
    this.#block = undefined;
    this.#filled = 0;
  }
}
