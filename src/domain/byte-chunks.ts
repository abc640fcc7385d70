/** The bytes `from` (inclusive) to `to` (exclusive) of the buffers laid end to end; nothing is copied. */
export function bytesBetween(
  buffers: readonly Uint8Array[],
  from: number,
  to: number,
): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  let position = 0;
  for (const buffer of buffers) {
    const start = Math.max(from - position, 0);
    const end = Math.min(to - position, buffer.byteLength);
    const whole = start === 0 && end === buffer.byteLength;
    if (start < end) parts.push(whole ? buffer : buffer.subarray(start, end));
    position += buffer.byteLength;
  }
  return parts;
}

/** The bytes of all buffers. */
export function byteLengthOf(buffers: readonly Uint8Array[]): number {
  return buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
}
