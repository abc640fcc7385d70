import { createAuthority, createServerCertificate } from '../../../src/cli/tls/certificates.ts';
import type { KeyPair } from '../../../src/cli/tls/certificates.ts';

export interface TestAuthority {
  /** The CA's certificate, PEM. */
  readonly ca: string;
  /** A server's pair for these names, valid for so many hours from now; a negative number: it has ended. */
  readonly issue: (names: readonly string[], hours?: number) => Promise<KeyPair>;
}

const hourMs = 3_600_000;

export async function createTestAuthority(): Promise<TestAuthority> {
  const now = Date.now();
  const notBefore = new Date(now - 48 * hourMs);
  const authority = await createAuthority('Test CA', {
    notBefore,
    notAfter: new Date(now + 48 * hourMs),
  });
  return {
    ca: authority.cert,
    issue: (names, hours = 24) =>
      createServerCertificate(authority, names, {
        notBefore,
        notAfter: new Date(now + hours * hourMs),
      }),
  };
}
