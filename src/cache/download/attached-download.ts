import type { Download } from './download.ts';

/** Somebody waits for the whole of it, as a push does: it goes before what nobody waits for, and does not pause. */
export async function attachWhileRunning(download: Download, signal: AbortSignal): Promise<void> {
  download.attach(1);
  try {
    while (download.state === 'running') await download.changed(signal);
  } finally {
    download.attach(-1);
  }
}
