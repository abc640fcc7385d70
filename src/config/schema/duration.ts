const pattern = /^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?(?:(\d{1,12})ms)?$/;

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** Milliseconds of `800ms`, `0s`, `24h`, `1h30m`; `undefined` where a unit lacks or the order is another. */
export function parseDuration(text: string): number | undefined {
  const match = text === '' ? null : pattern.exec(text);
  if (match === null) return undefined;
  return units.reduce((total, [, ms], index) => total + Number(match[index + 1] ?? 0) * ms, 0);
}
