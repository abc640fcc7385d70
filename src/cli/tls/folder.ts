import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CommandFailure } from '../command-failure.ts';
import { authorityProblem } from './certificates.ts';
import type { KeyPair } from './certificates.ts';

export interface TlsFolder {
  readonly authorityCert: string;
  readonly authorityKey: string;
  readonly serverCert: string;
  readonly serverKey: string;
}

export function tlsFolder(folder: string): TlsFolder {
  return {
    authorityCert: join(folder, 'ca.crt'),
    authorityKey: join(folder, 'ca.key'),
    serverCert: join(folder, 'server.crt'),
    serverKey: join(folder, 'server.key'),
  };
}

/** The authority that is there; `undefined` where none of its files is. Throws where it can't sign. */
export async function readAuthority(files: TlsFolder, now: Date): Promise<KeyPair | undefined> {
  const [cert, key] = await Promise.all([
    readIfThere(files.authorityCert),
    readIfThere(files.authorityKey),
  ]);
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    const [there, missing] =
      cert === undefined
        ? [files.authorityKey, files.authorityCert]
        : [files.authorityCert, files.authorityKey];
    throw unusable(`${there} is there, but ${missing} is not`);
  }
  const problem = authorityProblem({ cert, key }, now);
  if (problem === undefined) return { cert, key };
  throw unusable(`${files.authorityCert} and ${files.authorityKey} ${problem}`);
}

/** Throws where one of the files is there. */
export async function refuseExisting(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if ((await readIfThere(path)) !== undefined) throw exists(path);
  }
}

export interface NewFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/**
 * Writes each file whole and lets it appear under its name at once, in the order given; a file that is there is replaced
 * only with `force`. All are on disk before the first appears.
 */
export async function writeFiles(files: readonly NewFile[], force: boolean): Promise<void> {
  const written: { readonly from: string; readonly to: string }[] = [];
  try {
    for (const { path, text, mode } of files) {
      const from = join(dirname(path), `.${randomBytes(6).toString('hex')}.new`);
      await using handle = await open(from, 'wx', mode);
      written.push({ from, to: path });
      // The mode of `open` is what the umask leaves of it.
      await handle.chmod(mode);
      await handle.writeFile(text);
      await handle.sync();
    }
    for (const { from, to } of written) {
      if (force) await rename(from, to);
      else await link(from, to).catch((error: unknown) => refused(error, to));
    }
  } finally {
    await Promise.all(written.map(({ from }) => rm(from, { force: true })));
  }
}

function refused(error: unknown, path: string): never {
  throw error instanceof Error && 'code' in error && error.code === 'EEXIST' ? exists(path) : error;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function exists(path: string): CommandFailure {
  return new CommandFailure(`${path} exists`, {
    exit: 'conflict',
    code: 'TLS_FILE_EXISTS',
    hint: '--force makes the server certificate anew, signed by the same CA; or choose another --dir',
  });
}

function unusable(message: string): CommandFailure {
  return new CommandFailure(message, {
    exit: 'conflict',
    code: 'TLS_AUTHORITY_UNUSABLE',
    hint: 'put the pair right, move it away for a new CA, or choose another --dir',
  });
}
