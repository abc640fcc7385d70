import { X509Certificate } from 'node:crypto';
import { errorText } from '../domain/error-text.ts';
import { readSmallFile } from '../config/file-reader.ts';
import { readCertificates, readPrivateKey } from '../config/pem.ts';
import { watchConfig } from '../config/watch.ts';
import type { WatchOptions } from '../config/watch.ts';
import type { TlsPair } from '../http/server.ts';
import type { Log } from '../telemetry/log.ts';

/** Absolute paths of PEM files. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TlsFilesParts {
  readonly log: Log;
  /** Puts a pair in force; what it throws keeps the old one. */
  readonly apply: (pair: TlsPair) => void;
  /** Told at the start and after each look at changed files; `notAfterMs`: of the certificate in force, wall ms. */
  readonly onResult: (successful: boolean, notAfterMs: number | undefined) => void;
  readonly watch?: WatchOptions;
}

/** Reads certificate and key; throws an error that names the file where one can't be used, or they don't belong together. */
export async function readTlsFiles({ certFile, keyFile }: TlsFiles): Promise<TlsPair> {
  const cert = await readCertificates(certFile, readSmallFile);
  if ('problem' in cert) throw new Error(`tls.certFile: the file ${certFile} ${cert.problem}`);
  const key = await readPrivateKey(keyFile, cert.pem, readSmallFile);
  if ('problem' in key) throw new Error(`tls.keyFile: the file ${keyFile} ${key.problem}`);
  return { cert: cert.pem, key: key.pem };
}

/** When the server's certificate ends, the first of a chain, as wall ms. */
export function tlsNotAfterMs(cert: string): number {
  return new X509Certificate(cert).validToDate.getTime();
}

/**
 * Applies what the files hold now, and again whenever they change and at SIGHUP, until the signal aborts; one look at a
 * time. What can't be used is logged as an error, and the old pair stays in force. Resolves once it watches; never throws
 * for what the files hold.
 */
export async function keepTlsFresh(
  files: TlsFiles,
  parts: TlsFilesParts,
  signal: AbortSignal,
): Promise<void> {
  const { log, apply, onResult } = parts;
  let inForce: TlsPair | undefined;
  const notAfterMs = (): number | undefined => inForce && tlsNotAfterMs(inForce.cert);

  const look = async (): Promise<void> => {
    try {
      const pair = await readTlsFiles(files);
      const isNew = pair.cert !== inForce?.cert || pair.key !== inForce.key;
      if (signal.aborted) return;
      if (isNew) {
        apply(pair);
        if (inForce !== undefined) tellNew(pair, log);
        inForce = pair;
      }
      onResult(true, notAfterMs());
    } catch (error) {
      log.error('certificate not reloaded, the old one stays in force', {
        error: errorText(error),
      });
      onResult(false, notAfterMs());
    }
  };
  let running = Promise.resolve();
  const again = (): void => {
    running = running.then(look);
  };
  process.on('SIGHUP', again);
  signal.addEventListener('abort', () => process.off('SIGHUP', again), { once: true });
  if (signal.aborted) process.off('SIGHUP', again);
  await watchConfig([files.certFile, files.keyFile], again, parts.watch ?? {}, signal);
  again();
  await running;
}

function tellNew({ cert }: TlsPair, log: Log): void {
  const certificate = new X509Certificate(cert);
  log.info('certificate reloaded', {
    names: certificate.subjectAltName ?? '',
    not_after: certificate.validToDate.toISOString(),
  });
  if (certificate.validToDate.getTime() < Date.now())
    log.warn('the new certificate has expired already', {
      not_after: certificate.validToDate.toISOString(),
    });
}
