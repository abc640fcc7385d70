import { stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { DetectedPolicy, HubEstimate, NotRead } from '../../kubernetes/detect/detection.ts';
import type { FileFinding } from '../../kubernetes/detect/file-uses.ts';
import { findingsInText, usesInFiles } from '../../kubernetes/detect/file-uses.ts';
import { usesInList } from '../../kubernetes/detect/image-list.ts';
import type { Inventory } from '../../kubernetes/detect/inventory.ts';
import { createInventory } from '../../kubernetes/detect/inventory.ts';
import { CommandFailure } from '../command-failure.ts';
import type { Terminal } from '../terminal/terminal.ts';

const stdinBytesMax = 64 * 1024 * 1024;
const notReadMax = 10_000;

export interface Scan {
  /** Where it was looked, for people. */
  readonly from: string;
  readonly inventory: Inventory;
  readonly policies: readonly DetectedPolicy[];
  readonly dockerHub: HubEstimate | null;
  readonly notRead: readonly NotRead[];
}

/** Nothing was found yet; a cluster alone has policies and pods. */
function emptyScan(from: string): Scan & { readonly notRead: NotRead[] } {
  return { from, inventory: createInventory(), policies: [], dockerHub: null, notRead: [] };
}

/** Files and folders; throws where one of them is not there. Ends with Ctrl-C. */
export async function scanFiles(paths: readonly string[], terminal: Terminal): Promise<Scan> {
  const scan = emptyScan(paths.join(', '));
  for (const given of paths)
    if ((await stat(resolve(terminal.cwd, given)).catch(() => undefined)) === undefined)
      throw new CommandFailure(`${given} is not there`, {
        exit: 'notFound',
        code: 'FILE_NOT_FOUND',
        hint: 'name files, folders, or - for stdin; without a path the cluster is read',
      });
  for (const given of paths) {
    const path = resolve(terminal.cwd, given);
    // As the user named it.
    const name = (file: string): string => join(given, relative(path, file));
    for await (const finding of usesInFiles(path, name, terminal.interrupted()))
      take(finding, scan);
  }
  return scan;
}

/** A manifest, or a list of images. */
export async function scanStdin(terminal: Terminal): Promise<Scan> {
  const text = await terminal.input(stdinBytesMax);
  const scan = emptyScan('stdin');
  if (isManifest(text)) for (const finding of findingsInText('stdin', text)) take(finding, scan);
  else for (const use of usesInList(text)) scan.inventory.add(use);
  return scan;
}

function take(
  finding: FileFinding,
  scan: { readonly inventory: Inventory; readonly notRead: NotRead[] },
): void {
  if ('use' in finding) scan.inventory.add(finding.use);
  else if (scan.notRead.length < notReadMax) scan.notRead.push(finding.problem);
}

/** JSON, or YAML with a key at the begin of a line: no image is written so. */
function isManifest(text: string): boolean {
  return /^\s*(?:\{\s*"|\[\s*[{"])/.test(text) || /^(?:---|[A-Za-z][\w.-]*:(?:\s|$))/m.test(text);
}
