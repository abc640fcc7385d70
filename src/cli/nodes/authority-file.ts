import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errorText } from '../../domain/error-text.ts';
import type { CommandContext } from '../command-context.ts';
import { usageFailure } from '../command-failure.ts';

const block = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** The certificates of a file, and nothing else that is in it: nodes get this text. Throws `USAGE` (2) where there is none, or a key beside it. */
export async function readAuthorityFile(
  path: string,
  { terminal }: CommandContext,
): Promise<string> {
  const text = await readFile(resolve(terminal.cwd, path), 'utf8');
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    throw usageFailure(
      `--ca: ${path} holds a private key`,
      'name the certificate alone: tls/ca.crt',
    );
  const blocks = text.match(block) ?? [];
  if (blocks.length === 0)
    throw usageFailure(`--ca: ${path} holds no certificate`, 'name a PEM file, such as tls/ca.crt');
  for (const each of blocks) {
    try {
      void new X509Certificate(each);
    } catch (error) {
      throw usageFailure(
        `--ca: ${path} cannot be read as a certificate: ${errorText(error as Error)}`,
      );
    }
  }
  return blocks.map((each) => `${each.replaceAll('\r', '')}\n`).join('');
}
