/** Date; time with hours and minutes; seconds and their fraction; zone. W3C's profiles of ISO 8601, from the year down. */
const written =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/;

/** Seconds since 1970; four digits are a year. */
const epoch = /^-?(?:\d{1,3}|\d{5,12})(?:\.\d{1,9})?$/;

/** Milliseconds since 1970 of a condition's date, `undefined` for what is none. No zone is UTC. */
export function parseMoment(text: string): number | undefined {
  if (text.length > 40) return undefined;
  if (epoch.test(text)) return Number(text) * 1000;
  const match = written.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part: string | undefined) => (part === undefined ? undefined : Number(part)));
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const offset = offsetMinutes(match[8] ?? 'Z');
  if (offset === undefined) return undefined;
  const inDay = (hour * 60 + minute - offset) * 60_000 + second * 1000;
  return date.getTime() + inDay + Number(match[7] ?? 0) * 1000;
}

function offsetMinutes(zone: string): number | undefined {
  if (zone === 'Z') return 0;
  const [hours = 0, minutes = 0] = zone.slice(1).split(':').map(Number);
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}
