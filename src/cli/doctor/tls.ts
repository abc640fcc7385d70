import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/config.ts';
import type { Check } from '../command-context.ts';
import { failed, passed, warned } from './report.ts';

const dayMs = 86_400_000;
const expiresSoonDays = 21;

/** The certificate that the main listener shows; nothing where it speaks plain HTTP. */
export async function inspectTls(config: Config): Promise<Check[]> {
  if (config.tls === undefined) return [passed('listen speaks plain HTTP (no tls.certFile)')];
  const certificate = new X509Certificate(await readFile(config.tls.certFile));
  const names = certificate.subjectAltName ?? 'no names';
  return [judgeExpiry(certificate.validToDate, Date.now()), passed(`certificate is for ${names}`)];
}

export function judgeExpiry(validTo: Date, now: number): Check {
  const days = Math.floor((validTo.getTime() - now) / dayMs);
  const description = `certificate is valid until ${validTo.toISOString()}`;
  if (days < 0) return failed(description, 'it has expired', 'put a new one at tls.certFile');
  if (days < expiresSoonDays) return warned(description, `${days} days are left`, 'renew it');
  return passed(description);
}
