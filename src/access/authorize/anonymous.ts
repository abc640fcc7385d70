import { actions } from '../../domain/policy/access-action.ts';
import type { AccessDecision } from '../../domain/policy/policy.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import { asksAsSomebody } from '../../domain/rules/pull-rule.ts';
import type { StoredRepository } from '../../metadata/contract/rows.ts';
import type { Question, Verdict } from '../access.ts';

export interface AnonymousSettings {
  readonly anonymousPull: boolean;
  readonly anonymousImport: boolean | 'loopback';
}

const reads: ReadonlySet<string> = new Set([
  actions.getManifest,
  actions.getBlob,
  actions.checkBlob,
  actions.listTags,
  actions.describeImages,
  actions.listRepositories,
]);

const imports: ReadonlySet<string> = new Set([actions.importUpstream, actions.createRepository]);

/**
 * What anonymous may, which everybody may whom nothing denies it: read what no credential fetched and nobody pushed, read
 * what was pushed where its policy allows everyone, and import where the address may (ARCHITECTURE.md, "Registries, accounts and rights").
 */
export function admitAnonymous(
  question: Question,
  row: StoredRepository | undefined,
  decision: AccessDecision,
  settings: AnonymousSettings,
): Verdict {
  const { action, repository, rule, from } = question;
  const importing = imports.has(action);
  if (decision.reason === 'explicitDeny')
    return no(`${decision.by?.policy ?? 'a policy'} denies ${action} to anonymous`);
  if (!importing && !reads.has(action)) return no(`anonymous may only pull, not ${action}`);
  if (!settings.anonymousPull) return no('anonymousPull is false');
  if (repository === undefined)
    return importing ? no(`${action} needs a repository`) : yes('anonymousPull is true');
  if (isPrivate(rule, row)) return no(`${repository} is private: a credential fetched it`);
  if (row === undefined && rule === undefined)
    return no(`there is no ${repository}, and no rule leads to it`);
  if (row?.pushed === true && !decision.allowed)
    return no(`${repository} was pushed, and no policy allows ${action} to everyone`);
  if (!importing)
    return yes(decision.allowed ? 'a policy allows everyone' : 'anonymousPull is true');
  if (rule === undefined) return no(`no rule leads to ${repository}`);
  if (settings.anonymousImport === true) return yes('anonymousImport is true');
  return settings.anonymousImport === 'loopback' && from.isLoopback
    ? yes('anonymousImport is loopback, as are address and host')
    : no(`anonymousImport is ${settings.anonymousImport}`);
}

/** The same of a pull, in words for `explain`; policies, and `anonymousPull` of the server, are left out. */
export function explainAnonymous(
  rule: PullRule | undefined,
  row: StoredRepository | undefined,
): { readonly anonymous: boolean; readonly reason: string } {
  const isSomebody = rule !== undefined && asksAsSomebody(rule);
  if (isPrivate(rule, row))
    return {
      anonymous: false,
      reason: isSomebody
        ? "what the rule's credential fetches is the administrator's"
        : 'what is held was fetched with a credential',
    };
  if (row?.pushed === true)
    return { anonymous: false, reason: 'something was pushed here; a policy may say otherwise' };
  const reason = isSomebody
    ? 'the rule has a credential and says anonymousPull: true'
    : 'no credential is involved';
  return { anonymous: true, reason };
}

/** Once private a repository stays so when its rule loses the credential or the client certificate, or is gone. */
function isPrivate(rule: PullRule | undefined, row: StoredRepository | undefined): boolean {
  const isSomebody = rule !== undefined && asksAsSomebody(rule);
  if (isSomebody && rule.anonymousPull) return false;
  return isSomebody || row?.private === true;
}

function yes(because: string): Verdict {
  return { allowed: true, because };
}

function no(because: string): Verdict {
  return { allowed: false, because };
}
