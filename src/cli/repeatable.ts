/** Reads an option that may be said several times: what was said before, and this. */
export function repeatable(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}
