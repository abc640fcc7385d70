// What clients print, as docs/troubleshooting.md shows it: kept in a file a client, compared with what they print now.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { CommandResult } from '../tools/tools.ts';

/** Texts by a cause's id. */
export type Printed = Readonly<Record<string, string>>;

/** Clients in the order of the page. */
export const clientNames = {
  'docker-20.10': 'Docker 20.10',
  'docker-29': 'Docker 29',
  ctr: '`ctr`',
  kubelet: 'kubelet, `crictl`',
  'containerd-log': 'containerd’s log',
  podman: 'podman',
  skopeo: 'skopeo',
  crane: 'crane',
} as const;
export type ClientName = keyof typeof clientNames;

/** The part of its output that says what went wrong. */
export const essenceOf: Readonly<Record<ClientName, (text: string) => string>> = {
  'docker-20.10': wholeText,
  'docker-29': wholeText,
  ctr: (text) => /^ctr: [\s\S]*/m.exec(text)?.[0] ?? text,
  // What `crictl` says before it is its own; kubelet puts the rest into the event.
  kubelet: (text) =>
    (fieldsOf(lastLine(text, /level=error/))['msg'] ?? text).replace(/^pulling image: /, ''),
  'containerd-log': (text) => {
    const { msg = text, error } = fieldsOf(
      lastLine(text, /msg="(?:fetch failed|trying next host)/),
    );
    return error === undefined ? msg : `${msg}: ${error}`;
  },
  podman: (text) => /^Error: [\s\S]*/m.exec(text)?.[0] ?? text,
  skopeo: (text) => fieldsOf(lastLine(text, /level=fatal/))['msg'] ?? text,
  // It shows our error's detail too, which names places and moments, and what it met when it tried plain HTTP after TLS.
  crane: (text) =>
    (/^Error: [\s\S]*/m.exec(text)?.[0] ?? text)
      .trim()
      .replace(/; map\[[\s\S]*\]$/, '')
      .replace(/(x509: [^;]*); GET "?http:[\s\S]*$/i, '$1'),
};

/** What a client that failed printed; `undefined` where it went another way and did not fail. */
export function printedOf(
  client: ClientName,
  { code, stderr }: CommandResult,
  normalize: (text: string) => string,
): string | undefined {
  if (code === 0) return undefined;
  return essenceOf[client](normalize(stderr)).replaceAll(/\n\s*/g, '\n').trim();
}

export function readPrinted(client: ClientName): Printed {
  const file = fileOf(client);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Printed) : {};
}

export function writePrinted(client: ClientName, printed: Printed): void {
  writeFileSync(fileOf(client), `${JSON.stringify(printed, null, 2)}\n`);
}

function fileOf(client: ClientName): URL {
  return new URL(`./printed/${client}.json`, import.meta.url);
}

/** What Docker prints, or a line of its log. */
function wholeText(text: string): string {
  return fieldsOf(/^time=.*/.exec(text)?.[0] ?? '')['msg'] ?? text.trim();
}

function lastLine(text: string, pattern: RegExp): string {
  return text.split('\n').findLast((line) => pattern.test(line)) ?? '';
}

/** The quoted values of a line as Go's loggers write it. */
function fieldsOf(line: string): Readonly<Partial<Record<string, string>>> {
  const found = line.matchAll(/(\w+)=("(?:[^"\\]|\\.)*")/g);
  return Object.fromEntries(
    [...found].map(([, name = '', quoted = '']) => [name, JSON.parse(quoted) as string]),
  );
}
