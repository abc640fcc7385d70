import { stringify } from 'yaml';

/** Objects as one YAML text that says by what command it was made; the same objects give the same text. `notes` are lines without a break. */
export function policyText(
  objects: readonly object[],
  { command, notes }: { readonly command: string; readonly notes: readonly string[] },
): string {
  const head = [`Made by: ${command}`, ...notes].map((line) => `# ${line}\n`).join('');
  const documents = objects.map((object) => stringify(object, { lineWidth: 0 }));
  return head + documents.join('---\n');
}
