import { X509Certificate, createPrivateKey, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import type * as x509Library from '@peculiar/x509';

/** PEM texts. */
export interface KeyPair {
  readonly cert: string;
  /** PKCS #8, not encrypted. */
  readonly key: string;
}

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A certificate authority that signs servers' certificates and no further authorities (RFC 5280 §4.2.1). */
export async function createAuthority(name: string, validity: Validity): Promise<KeyPair> {
  const x509 = await loadX509();
  const keys = await createKeys();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    ...validity,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${cert.toString('pem')}\n`, key: await exportKey(keys.privateKey) };
}

/**
 * A server's certificate for these DNS names and IP addresses, never valid for longer than the authority's own. The
 * authority's follows it in `cert`.
 */
export async function createServerCertificate(
  authority: KeyPair,
  names: readonly string[],
  validity: Validity,
): Promise<KeyPair> {
  const x509 = await loadX509();
  const keys = await createKeys();
  const issuer = new x509.X509Certificate(authority.cert);
  const notAfter = new Date(Math.min(validity.notAfter.getTime(), issuer.notAfter.getTime()));
  const cert = await x509.X509CertificateGenerator.create({
    subject: [{ CN: ['Breakwater'] }],
    issuer: issuer.subjectName,
    notBefore: validity.notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return {
    cert: `${cert.toString('pem')}\n${authority.cert}`,
    key: await exportKey(keys.privateKey),
  };
}

/** Why a pair can sign no server's certificate, as the end of a sentence about its files; `undefined` where it can. */
export function authorityProblem({ cert, key }: KeyPair, now: Date): string | undefined {
  try {
    const certificate = new X509Certificate(cert);
    if (!certificate.ca) return 'hold no certificate authority';
    const privateKey = createPrivateKey(key);
    if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
      return 'hold another kind of key than ECDSA P-256';
    if (!certificate.checkPrivateKey(privateKey)) return 'do not belong together';
    if (certificate.validToDate <= now) return 'hold an authority that has expired';
    return undefined;
  } catch {
    return 'hold no usable PEM of a certificate and its key';
  }
}

async function createKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString();
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' });
  return await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

type X509 = typeof x509Library;
let loading: Promise<X509> | undefined;

/**
 * The library's container of parts refuses to load without a metadata polyfill, which it needs for classes whose
 * constructors take parts; its own take none. Two functions that know nothing satisfy it, and go again.
 */
async function loadX509(): Promise<X509> {
  loading ??= (async () => {
    const polyfilled = ['getMetadata', 'getOwnMetadata'].filter((name) => !(name in Reflect));
    for (const name of polyfilled)
      Object.defineProperty(Reflect, name, { value: () => undefined, configurable: true });
    try {
      return await import('@peculiar/x509');
    } finally {
      for (const name of polyfilled) Reflect.deleteProperty(Reflect, name);
    }
  })();
  return await loading;
}
