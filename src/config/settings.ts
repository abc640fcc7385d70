import type { ApiUpstreams } from '../domain/rules/api-rule.ts';
import type { FailureAction } from '../domain/rules/pull-rule.ts';

/** The configuration as it is written, checked and complete: texts with units, defaults filled in. */
export interface Settings {
  readonly listen: string;
  readonly adminListen: string;
  readonly hubMirrorListen: string;
  readonly tls: CertificateSettings;
  readonly dataDir: string;
  readonly publicUrl: string;
  readonly registryId: string;
  readonly organizationId: string;
  readonly regions: readonly string[] | 'any';
  readonly anonymousPull: boolean;
  readonly anonymousImport: boolean | 'loopback';
  readonly trustedProxies: readonly string[];
  readonly defaultRules: boolean;
  readonly apiUpstreams: ApiUpstreams;
  readonly secretsFile: string;
  readonly createOnPush: boolean;
  readonly sparseIndexes: boolean;
  readonly oidc: readonly OidcSettings[];
  readonly drain: string;
  readonly shutdownDelay: string;
  readonly cache: {
    readonly parallelAbove: string;
    readonly pieceSize: string;
    readonly connectionsPerBlob: number;
    readonly minFree: string;
    readonly maxBlobBytes: string;
  };
  readonly lifecycle: { readonly expireByPull: boolean };
  readonly keys: {
    readonly from: readonly ('file' | 'environment' | 'command')[];
    readonly environment: string;
    readonly command: readonly string[];
    readonly commandTimeout: string;
  };
  readonly limits: { readonly connections: number; readonly downloads: number };
  readonly rules: readonly RuleSettings[];
}

export interface OidcSettings {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly jwksUrl: string;
  readonly caFile: string;
  readonly principals: readonly {
    readonly claims: Readonly<Record<string, string>>;
    readonly principal: string;
    /** Empty: `registryId`. */
    readonly account: string;
  }[];
}

export interface RuleSettings {
  readonly prefix: string;
  readonly upstream: string;
  readonly mirrors: readonly string[];
  readonly upstreamPrefix: string;
  readonly credential: string;
  /** Absent: true where there is no credential. */
  readonly anonymousPull?: boolean | undefined;
  readonly freshFor: string;
  readonly staleBudget: string;
  readonly onFailure: {
    readonly notFound: FailureAction;
    readonly denied: FailureAction;
    readonly rateLimited: FailureAction;
    readonly serverError: FailureAction;
    readonly timeout: FailureAction;
    readonly network: FailureAction;
  };
  readonly platforms: 'none' | 'requested' | 'all' | readonly string[];
  readonly push: boolean;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly allowHosts: readonly string[];
  readonly caFile: string;
  readonly clientCert: CertificateSettings;
  readonly maxConnections: number;
}

/** Both set or both empty. */
export interface CertificateSettings {
  readonly certFile: string;
  readonly keyFile: string;
}
