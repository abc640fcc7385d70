import type { ScopeRight } from '../../domain/policy/access-action.ts';
import { matchesGlob } from '../../domain/wildcard.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import type { Scope } from '../access.ts';

/** Of one token. */
export const scopesMax = 100;
const patternCharactersMax = 256;
const scopeRights: readonly ScopeRight[] = ['pull', 'push', 'delete'];

/** `repository:<pattern>:<rights>`, as a token is limited to it; `undefined` for anything else. */
export function parseScope(text: string): Scope | undefined {
  const match = /^repository:([a-z0-9._/*?-]+):([a-z]+(?:,[a-z]+)*)$/.exec(text);
  if (match === null) return undefined;
  const [, repository = '', list = ''] = match;
  const rights = list.split(',');
  if (repository.length > patternCharactersMax || !rights.every(isRight)) return undefined;
  return { repository, rights: scopeRights.filter((right) => rights.includes(right)) };
}

export function formatScope({ repository, rights }: Scope): string {
  return `repository:${repository}:${rights.join(',')}`;
}

function isRight(text: string): text is ScopeRight {
  return scopeRights.some((right) => right === text);
}

/** What a client asks a registry token for. */
export type RequestedScope =
  | { readonly kind: 'repository'; readonly name: string; readonly rights: readonly ScopeRight[] }
  | { readonly kind: 'catalog' };

/** Of one request; those beyond are not granted. */
const requestedMax = 64;
/** Of all names together: the token must fit into a header. */
const namesCharactersMax = 4096;

/**
 * The `scope` parameters of a token request, each of which may hold several between spaces (distribution's token specification).
 * Unknown types and actions, and names that no repository has, are left out.
 */
export function parseRequestedScopes(parameters: readonly string[]): readonly RequestedScope[] {
  const rightsOf = new Map<string, Set<ScopeRight>>();
  let catalog = false;
  let characters = 0;
  for (const text of parameters.flatMap((parameter) => parameter.split(' '))) {
    if (text === 'registry:catalog:*') catalog = true;
    const match = /^repository(?:\([a-z0-9]+\))?:([^\s:]+):([a-z*,]+)$/.exec(text);
    const [, name = '', list = ''] = match ?? [];
    const asked = list.split(',');
    const rights = asked.includes('*') ? scopeRights : asked.filter(isRight);
    if (parseRepositoryName(name) === undefined || rights.length === 0) continue;
    const known = rightsOf.get(name);
    if (known === undefined) {
      characters += name.length;
      if (characters > namesCharactersMax || rightsOf.size >= requestedMax) continue;
    }
    rightsOf.set(name, new Set([...(known ?? []), ...rights]));
  }
  const repositories = [...rightsOf].map(([name, rights]) => ({
    kind: 'repository' as const,
    name,
    rights: scopeRights.filter((right) => rights.has(right)),
  }));
  return catalog ? [...repositories, { kind: 'catalog' }] : repositories;
}

/** What of a request is granted to a credential of these limits; whether its principal may is asked at each use. */
export function grantScopes(
  requested: readonly RequestedScope[],
  limits: readonly Scope[] | undefined,
): readonly Scope[] {
  return requested.flatMap((request): readonly Scope[] => {
    if (request.kind === 'catalog') {
      const all: readonly Scope[] = limits ?? [{ repository: '*', rights: ['pull'] }];
      return all.flatMap(({ repository, rights }) =>
        rights.includes('pull') ? [{ repository, rights: ['pull'] }] : [],
      );
    }
    const { name } = request;
    const rights = request.rights.filter(
      (right) =>
        limits === undefined ||
        limits.some((limit) => limit.rights.includes(right) && matchesGlob(limit.repository, name)),
    );
    return rights.length === 0 ? [] : [{ repository: name, rights }];
  });
}
