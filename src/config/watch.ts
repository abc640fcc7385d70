import { watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface WatchOptions {
  /** How long it must be quiet after an event before the files are looked at. */
  readonly debounceMs?: number;
  /** How often they are looked at where no events come: network file systems, exhausted inotify watches. */
  readonly pollMs?: number;
}

/**
 * Calls `onChange` when any of the files has become another one: written, replaced, removed, made, or reached through other
 * links, as Kubernetes swaps `..data`. Resolves once it watches, and watches until the signal aborts; never keeps the
 * process alive. Paths are absolute.
 */
export async function watchConfig(
  files: readonly string[],
  onChange: () => void,
  options: WatchOptions,
  signal: AbortSignal,
): Promise<void> {
  const { debounceMs = 250, pollMs = 10_000 } = options;
  let last = await stateOf(files);
  let looking = false;
  let again = false;
  let quiet: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    again = true;
    if (looking) return;
    looking = true;
    while (again && !signal.aborted) {
      again = false;
      const now = await stateOf(files);
      if (now === last || signal.aborted) continue;
      last = now;
      onChange();
    }
    looking = false;
  };
  const lookSoon = (): void => {
    clearTimeout(quiet);
    if (!signal.aborted) quiet = setTimeout(() => void look(), debounceMs).unref();
  };

  const poll = setInterval(() => void look(), pollMs).unref();
  signal.addEventListener(
    'abort',
    () => {
      clearInterval(poll);
      clearTimeout(quiet);
    },
    { once: true },
  );
  if (signal.aborted) clearInterval(poll);
  for (const folder of new Set(files.map((file) => dirname(file))))
    watchFolder(folder, lookSoon, signal);
}

/** The folder, not the file: a replaced file is another inode, and a watch of it would stay with the old one. */
function watchFolder(folder: string, onEvent: () => void, signal: AbortSignal): void {
  try {
    const watcher = watch(folder, { persistent: false, signal }, onEvent);
    // The polls go on without it.
    watcher.on('error', () => watcher.close());
  } catch {
    // As above: no such folder yet, or no more watches to be had.
  }
}

/** Another text whenever a file is another: its real path, inode, size and times. */
async function stateOf(files: readonly string[]): Promise<string> {
  const states = await Promise.all(
    files.map(async (file) => {
      try {
        const [path, { ino, size, mode, mtimeNs, ctimeNs }] = await Promise.all([
          realpath(file),
          stat(file, { bigint: true }),
        ]);
        return [path, ino, size, mode, mtimeNs, ctimeNs].join(' ');
      } catch (error) {
        return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
      }
    }),
  );
  return states.join('\n');
}
