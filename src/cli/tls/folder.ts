import { join } from 'node:path';
import { CommandFailure } from '../command-failure.ts';
import { readIfThere, writeFiles } from '../whole-files.ts';
import type { KeyPair } from './certificates.ts';
import { authorityProblem } from './certificates.ts';

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

/** The files of a pair, each whole; throws where one is there, but with `replace`. */
export async function writePair(
  pair: KeyPair,
  paths: { readonly cert: string; readonly key: string },
  replace: boolean,
): Promise<void> {
  try {
    await writeFiles(
      [
        { path: paths.key, text: pair.key, mode: 0o600 },
        { path: paths.cert, text: pair.cert, mode: 0o644 },
      ],
      replace,
    );
  } catch (error) {
    const { code, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
    throw code === 'EEXIST' && dest !== undefined ? exists(dest) : error;
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
