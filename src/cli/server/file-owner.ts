import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';

/** What keeps this user from a path. */
export interface Barrier {
  /** The path itself, or the folder above it that cannot be entered. */
  readonly path: string;
  /** Names, or `user 1000` where a number has none. */
  readonly owner: string;
  readonly me: string;
  /** `/srv/data belongs to ann (mode 0700), and this is bob`. */
  readonly because: string;
}

/** Of an absolute path that could not be opened for want of rights (`EACCES`, `EPERM`). */
export async function findBarrier(path: string): Promise<Barrier> {
  const found = await nearest(path);
  const [owner, me] = [await userName(found.uid), await userName(process.getuid?.() ?? 0)];
  const mode = (found.mode & 0o7777).toString(8).padStart(4, '0');
  const because = `${found.path} belongs to ${owner} (mode ${mode}), and this is ${me}`;
  return { path: found.path, owner, me, because };
}

/** Whether a system's error is one of rights. */
export function isDenied(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EACCES' || code === 'EPERM';
}

/** What can be looked at, from the path upwards: a folder that cannot be entered hides what is in it. */
async function nearest(
  path: string,
): Promise<{ readonly path: string; readonly uid: number; readonly mode: number }> {
  const found = await stat(path).catch(() => undefined);
  const parent = dirname(path);
  if (found !== undefined) return { path, uid: found.uid, mode: found.mode };
  return parent === path ? { path, uid: 0, mode: 0 } : nearest(parent);
}

async function userName(uid: number): Promise<string> {
  if (uid === process.getuid?.()) {
    try {
      return userInfo().username;
    } catch {
      // A number without a name, as containers run with.
    }
  }
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const line = users.split('\n').find((each) => each.split(':')[2] === String(uid));
  return line?.split(':')[0] || `user ${uid}`;
}
