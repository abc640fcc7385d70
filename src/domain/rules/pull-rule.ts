import type { FailureKind } from '../upstream-failure.ts';
import type { RepositoryName } from '../names/repository-name.ts';

/** One URL that a rule reads from: scheme, host and port, and no path. */
export interface UpstreamUrl {
  /** `https://registry-1.docker.io`, no trailing slash. */
  readonly origin: string;
  /** Lower case; the port only where it is not the scheme's own: what logs, metrics and limits call it. */
  readonly host: string;
  /** True only where an operator wrote `http://`. */
  readonly plain: boolean;
}

/** A credential as it was read from `secretsFile` or a secret. Never logged; `config print` redacts it. */
export interface Credential {
  readonly name: string;
  readonly username: string;
  readonly accessToken: string;
  /** Tells apart whose the token is where the user name is a fixed word; no part of the token. */
  readonly account?: string;
}

export interface NamedSecret {
  readonly name: string;
  /** Where it is named: `breakwater.yaml:12:17: rules[3].credential`. */
  readonly at: string;
}

export type FailureAction = 'keep' | 'stop';

/** A rule: a prefix of local repository names and the upstream it stands for (ARCHITECTURE.md, "Rules and names"). */
export interface PullRule {
  /** Without slashes at its ends; `ROOT` catches what no other prefix matches. */
  readonly prefix: string;
  /** `api`: made by somebody with the right to, of an account's own registry. */
  readonly origin: 'builtin' | 'file' | 'api';
  /** Of a rule made through an API: its own for life, whatever else is made under its prefix. Absent: the prefix stands for it. */
  readonly id?: string;
  /** Grows with each change of such a rule or of its secret: what upstream was heard to say before counts no longer. */
  readonly revision?: number;
  /** `public`: no address but a public one is dialled for it, its own host's too. Absent: its host may be anything, since an operator wrote it. */
  readonly reach?: 'public';
  /** Why its upstream may not be asked now, for whoever owns the rule; absent: it may. */
  readonly blocked?: string;
  /** The upstream first, then its mirrors, in the order to try. */
  readonly urls: readonly [UpstreamUrl, ...UpstreamUrl[]];
  /** The upstream's host with aliases applied: `docker.io` for registry-1.docker.io. */
  readonly upstreamHost: string;
  readonly upstreamPrefix: string;
  readonly credential: Credential | undefined;
  /** Of a rule of the file whose credential stands in no `secretsFile`: it is to be found among the secrets that are made through an API. */
  readonly secret?: NamedSecret;
  /** The ARN of a role as which a private ECR is asked; the credential is an access key that may assume it. */
  readonly role?: string;
  readonly anonymousPull: boolean;
  readonly freshForMs: number;
  readonly staleBudgetMs: number;
  readonly onFailure: Readonly<Record<Exclude<FailureKind, 'invalid'>, FailureAction>>;
  readonly platforms: 'none' | 'requested' | 'all' | readonly string[];
  /** Whether clients may push under the prefix; ROOT refuses nothing, whatever this says. */
  readonly push: boolean;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly allowHosts: readonly string[];
  /** PEM text; absent: the system's roots. */
  readonly ca: string | undefined;
  readonly clientCert:
    | {
        readonly cert: string;
        readonly key: string;
        /** Tells apart whose it is; the same for a renewed one. */
        readonly holder?: string;
      }
    | undefined;
  readonly maxConnections: number;
}

/** True where the upstream may give it what it gives not to everyone: it shows a credential or a client certificate. */
export function asksAsSomebody({
  credential,
  clientCert,
}: Pick<PullRule, 'credential' | 'clientCert'>): boolean {
  return credential !== undefined || clientCert !== undefined;
}

/**
 * The same prefix leading to the same place with the same credential, to the letter of its token: what is under way may go on.
 * Mirrors and times may differ. Whose content it is, is `ruleIdentity`'s to say.
 */
export function isSameSource(one: PullRule, other: PullRule): boolean {
  const { credential } = one;
  return (
    one.prefix === other.prefix &&
    one.id === other.id &&
    one.urls[0].origin === other.urls[0].origin &&
    one.upstreamPrefix === other.upstreamPrefix &&
    credential?.username === other.credential?.username &&
    credential?.accessToken === other.credential?.accessToken &&
    one.role === other.role &&
    one.clientCert?.cert === other.clientCert?.cert
  );
}

/** What of a rule decides which names it stands for; a rule of which nothing more is known can be looked up by names too. */
export interface NamingRule extends Pick<
  PullRule,
  'prefix' | 'origin' | 'upstreamHost' | 'upstreamPrefix'
> {
  /** Whatever it is, it goes before none. */
  readonly credential: unknown;
  readonly urls: readonly [Pick<UpstreamUrl, 'plain'>, ...Pick<UpstreamUrl, 'plain'>[]];
}

/** A pulled name, resolved: which rule, which repository here, which repository there. */
export interface PullTarget<Rule extends NamingRule = PullRule> {
  /** Absent: no rule leads here (any more); what is held is served, nothing is fetched. */
  readonly rule: Rule | undefined;
  /** The canonical local name, the same for every alias and spelling: `docker.io/library/nginx`. */
  readonly repository: RepositoryName;
  /** `library/nginx`; the local name where there is no rule. */
  readonly upstreamRepository: RepositoryName;
}
