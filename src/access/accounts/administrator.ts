import { createInOrder } from '../../coordination/in-order.ts';
import type { Credentials, KeyPair } from '../secrets/credentials.ts';
import { newKeyPair, openCredentials, replaceKeyPair } from '../secrets/credentials.ts';

/** The key pair of `dataDir/credentials`, which opens everything, and how it becomes another. */
export interface Administrator {
  /** In force now. */
  pair(): KeyPair;
  /** Absolute where `dataDir` is. */
  readonly file: string;
  /** Puts a new pair into the file and in force, in the place of the old one. Throws as `openCredentials`; then the old one stays. */
  rotate(): Promise<KeyPair>;
  /**
   * Reads the file again, or writes a new pair where it is gone, and puts that in force; true where it is another. Throws as
   * `openCredentials`; then the old one stays.
   */
  reopen(): Promise<boolean>;
}

export interface AdministratorOptions {
  readonly region: string;
  /** Where clients reach the server, as it is known now: for the file. */
  readonly endpointUrl: () => string;
  /** After each change of the pair: what was verified by the old one is forgotten. */
  readonly onChange: () => void;
}

/** Throws as `openCredentials`. */
export async function openAdministrator(
  dataDir: string,
  { region, endpointUrl, onChange }: AdministratorOptions,
): Promise<Administrator> {
  const open = (): Promise<Credentials> =>
    openCredentials(dataDir, { region, endpointUrl: endpointUrl() });
  const first = await open();
  let pair: KeyPair = first;
  const become = (next: KeyPair): boolean => {
    const before = pair;
    pair = next;
    const isAnother =
      next.accessKeyId !== before.accessKeyId || next.secretAccessKey !== before.secretAccessKey;
    if (isAnother) onChange();
    return isAnother;
  };
  /** One change of the file after the other. */
  const inOrder = createInOrder();
  return {
    pair: () => pair,
    file: first.file,
    rotate: () =>
      inOrder(async () => {
        await open();
        const next = newKeyPair();
        await replaceKeyPair(dataDir, next);
        become(next);
        return next;
      }),
    reopen: () => inOrder(async () => become(await open())),
  };
}
