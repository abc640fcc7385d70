const factors: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes of `64MiB`, `1GB`, `512B`; `undefined` without a unit or beyond 2^53. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,16})([KMGT]i?B|B)$/.exec(text);
  const factor = factors[match?.[2] ?? ''];
  if (match === null || factor === undefined) return undefined;
  const bytes = Number(match[1]) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The least free space that is ever asked for. */
export const minFreeBytesMin: number = 2 ** 30;

/** A share of a volume, `5%` as 0.05, or bytes, never under 1 GiB. */
export function parseMinFree(
  text: string,
): { readonly share: number } | { readonly bytes: number } | undefined {
  const percent = /^(\d{1,2}(?:\.\d{1,2})?)%$/.exec(text)?.[1];
  if (percent !== undefined)
    return Number(percent) > 0 ? { share: Number(percent) / 100 } : undefined;
  const bytes = parseSize(text);
  return bytes === undefined || bytes < minFreeBytesMin ? undefined : { bytes };
}
