import { X509Certificate } from 'node:crypto';
import type { ClientRules } from '../client.ts';

/** The names of a listener's certificate, as it is now. */
export interface CertificateNames {
  readonly use: (pair: { readonly cert: string }) => void;
  readonly includes: (hostname: string) => boolean;
}

export function createCertificateNames(
  first: { readonly cert: string } | undefined,
): CertificateNames {
  let certificate = first && new X509Certificate(first.cert);
  return {
    use: ({ cert }) => (certificate = new X509Certificate(cert)),
    includes: (hostname) => certificate?.checkHost(hostname) !== undefined,
  };
}

/** The rules, with the certificate's names among the server's own. */
export function withNames(rules: ClientRules, names: CertificateNames): ClientRules {
  return {
    trustedProxies: rules.trustedProxies,
    isOwnName: (hostname) => rules.isOwnName(hostname) || names.includes(hostname),
  };
}
