import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { FileReader } from './file-reader.ts';
import { UnreadableFile, decodeText } from './file-reader.ts';

const pemBytesMax: number = 1024 * 1024;

/** Text, or what is wrong with the file as the end of a sentence about it. */
export type PemText = { readonly pem: string } | { readonly problem: string };

/** Certificates, each of which must parse. */
export async function readCertificates(path: string, readFile: FileReader): Promise<PemText> {
  return await readPem(path, readFile, (pem) => {
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
    for (const block of blocks) new X509Certificate(block);
    return blocks.length > 0 ? undefined : 'holds no PEM certificate';
  });
}

/** A private key that needs no passphrase and belongs to the first of the certificates. */
export async function readPrivateKey(
  path: string,
  certificates: string,
  readFile: FileReader,
): Promise<PemText> {
  return await readPem(path, readFile, (pem) => {
    const key = createPrivateKey(pem);
    const belongs = new X509Certificate(certificates).checkPrivateKey(key);
    return belongs ? undefined : 'holds the key of another certificate';
  });
}

async function readPem(
  path: string,
  readFile: FileReader,
  check: (pem: string) => string | undefined,
): Promise<PemText> {
  let pem: string;
  try {
    pem = decodeText((await readFile(path, pemBytesMax)).bytes);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return { problem: error.message };
  }
  try {
    const problem = check(pem);
    return problem === undefined ? { pem } : { problem };
  } catch {
    return { problem: 'holds no usable PEM of this kind (a key must not be encrypted)' };
  }
}
