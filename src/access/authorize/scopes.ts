import type { ScopeRight } from '../../domain/policy/access-action.ts';
import { actions, scopeRightOf } from '../../domain/policy/access-action.ts';
import { matchesGlob } from '../../domain/wildcard.ts';
import type { Question, Verdict } from '../access.ts';

/** The refusal where the credential's own scopes leave the question out; `undefined` where they don't. */
export function admitScopes(question: Question): Verdict | undefined {
  const { scopes } = question.caller;
  if (scopes === undefined) return undefined;
  const { repository } = question;
  // The password keeps the scopes of what it was made with.
  if (question.action === actions.getAuthorizationToken) return undefined;
  const rights = rightsFor(question);
  const admitted = scopes.some(
    (scope) =>
      rights.some((right) => scope.rights.includes(right)) &&
      (repository === undefined || matchesGlob(scope.repository, repository)),
  );
  if (admitted) return undefined;
  return {
    allowed: false,
    because: `the scopes of the credential leave out ${question.action}${repository === undefined ? '' : ` in ${repository}`}`,
  };
}

/** Any of them is enough. Under a rule a repository is made by the first pull as well as by a push. */
function rightsFor({ action, rule }: Question): readonly ScopeRight[] {
  const ecrAction = ecrActions.get(action);
  const right = ecrAction === undefined ? undefined : scopeRightOf(ecrAction);
  if (right === undefined) return [];
  return action === actions.createRepository && rule !== undefined ? ['pull', right] : [right];
}

const ecrActions: ReadonlyMap<string, (typeof actions)[keyof typeof actions]> = new Map(
  Object.values(actions).map((action) => [action, action]),
);
