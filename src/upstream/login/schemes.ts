import type { Challenge } from './challenge.ts';
import { parseChallenges } from './challenge.ts';

/** One way to be let in, as a challenge offers it. */
export type Scheme =
  | { readonly kind: 'basic' }
  | {
      readonly kind: 'bearer';
      readonly realm: string;
      readonly service: string | undefined;
      /** Scopes asked for beside the pull of the repository; empty unless that alone was refused. */
      readonly scopes: string;
    };

/** Realms of one answer that are tried. */
const bearersMax = 4;

/**
 * The ways that an answer's challenges offer, in the order to try. Whatever scope a challenge names, lacks or leaves empty, the
 * pull of the repository is asked for first, and the named scope beside it only where that is refused: Gitea names `*`,
 * public.ecr.aws `aws`, GHCR a placeholder. Basic comes last, and only with a credential to give.
 */
export function schemesOf(
  header: string | string[] | undefined,
  repository: string,
  hasCredential: boolean,
): readonly Scheme[] {
  const challenges = parseChallenges(header);
  const bearers = challenges.filter(({ scheme }) => scheme === 'bearer').slice(0, bearersMax);
  const basic = hasCredential && challenges.some(({ scheme }) => scheme === 'basic');
  return [
    ...bearers.flatMap((challenge) => bearersOf(challenge, repository)),
    ...(basic ? [{ kind: 'basic' } as const] : []),
  ];
}

function bearersOf({ parameters }: Challenge, repository: string): readonly Scheme[] {
  const realm = parameters.get('realm');
  if (realm === undefined || realm === '') return [];
  const bearer = { kind: 'bearer', realm, service: parameters.get('service') } as const;
  const named = (parameters.get('scope') ?? '').split(/\s+/).filter((scope) => scope !== '');
  if (repository === '') return [{ ...bearer, scopes: named.join(' ') }];
  const others = named.filter((scope) => !scope.startsWith(`repository:${repository}:`));
  const alone = { ...bearer, scopes: '' };
  return others.length === 0 ? [alone] : [alone, { ...bearer, scopes: others.join(' ') }];
}

/** Tells schemes apart. */
export function schemeKey(scheme: Scheme): string {
  return scheme.kind === 'basic'
    ? scheme.kind
    : JSON.stringify([scheme.realm, scheme.service, scheme.scopes]);
}

/** What a token is asked for; `undefined`: nothing in particular. */
export function scopeOf(scopes: string, repository: string): string | undefined {
  const own = repository === '' ? '' : `repository:${repository}:pull`;
  const all = [own, scopes].filter((scope) => scope !== '').join(' ');
  return all === '' ? undefined : all;
}
