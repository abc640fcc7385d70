/** One of a setting that holds several. */
export interface SettingMember {
  readonly member: string;
  /** Wall ms, when it came. */
  readonly at: number;
}

/** What the value of such a setting holds, in the order of its texts; of one that was never set, nothing. */
export function readMembers(value: string | undefined): readonly SettingMember[] {
  return value === undefined ? [] : (JSON.parse(value) as SettingMember[]);
}

export function writeMembers(members: readonly SettingMember[]): string {
  return JSON.stringify(members.toSorted((one, other) => (one.member < other.member ? -1 : 1)));
}
