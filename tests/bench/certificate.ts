import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate for loopback that lives as long as the run; undefined without `openssl`. */
export function makeCertificate(folder: string): Certificate | undefined {
  const certFile = join(folder, 'cert.pem');
  const keyFile = join(folder, 'key.pem');
  const { status } = spawnSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
      .concat(['-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'])
      .concat(['-keyout', keyFile, '-out', certFile]),
    { stdio: 'ignore' },
  );
  return status === 0 ? { certFile, keyFile } : undefined;
}
