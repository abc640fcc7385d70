/**
 * Where a text stops being JSON, as ` (at character 48)`, of what JSON.parse threw; empty where it does not say. The engine's own message
 * quotes the text, which may be a secret.
 */
export function jsonErrorPlace(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const position = /position (\d+)/.exec(message)?.[1];
  if (position !== undefined) {
    const rest = message.startsWith('Unexpected non-whitespace')
      ? ', where it should have ended'
      : '';
    return ` (at character ${Number(position) + 1}${rest})`;
  }
  return message.startsWith('Unexpected end') ? ' (it ends too early)' : '';
}
