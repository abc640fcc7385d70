import type { Caller } from '../../access/access.ts';
import type { AccessRefused, Admission } from '../../access/admission/admission.ts';
import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import { registryOf } from '../../domain/names/registry.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import { hostInName, noRuleForHost } from '../../domain/rules/no-rule.ts';
import type { Places } from '../../operations/places.ts';
import type { Listener, RepositoryPlan } from './plan.ts';

export interface RefusalParts {
  readonly listener: Listener;
  readonly admission: Pick<Admission, 'may' | 'isNarrowed'>;
  readonly places: Pick<Places, 'home' | 'isThere'>;
}

/** A refusal of access as registry clients need it: 401 where a login or another token may help, else 403, or 404 for what they may not see. */
export async function refusalForClients(
  { listener, admission, places }: RefusalParts,
  refused: AccessRefused,
  plan: RepositoryPlan,
): Promise<RegistryError> {
  const { reason, question } = refused;
  const { action } = question;
  const because = refused.because ?? '';
  if (reason === 'notImported') return notImported(listener, refused, plan);
  if (listener === 'hub') return repositoryUnknown(plan.target.repository, because);
  if (await admission.isNarrowed(question, plan, question.action as Action))
    return new RegistryError('unauthorized', 'the token was not made for this', {
      detail: { error: 'insufficient_scope', action },
      because,
    });
  const host = hostWithoutRule(plan, action, places);
  if (reason === 'login') return loginRefusal(places, refused, plan, host);
  // 403 only to who may read the repository: the right to list it is not enough (docs/request-handling.md, 8).
  const reads =
    reason === 'forbidden' && (await admission.may(question, plan, [actions.getManifest]));
  if (reads) return refused;
  return host === undefined ? unknownRepository(plan, because) : noRule(host, because);
}

/** For a pull that found nothing in the cache and may not import. */
function notImported(
  listener: Listener,
  { code, question: { caller }, because = '', message }: AccessRefused,
  plan: RepositoryPlan,
): RegistryError {
  if (listener === 'main' && caller.principal.kind === 'anonymous')
    return loginNeeded(
      caller,
      'authentication is needed to fetch what is new (anonymousImport)',
      because,
    );
  // Docker writes it into its log before it goes on to Docker Hub itself.
  if (listener === 'hub')
    return new RegistryError(
      code,
      'not here yet, and nothing new is fetched for other machines (anonymousImport)',
      { because },
    );
  return code === 'nameUnknown'
    ? unknownRepository(plan, because)
    : new RegistryError(code, message, { because });
}

/** The same for what is hidden and for what is not there. */
async function loginRefusal(
  places: RefusalParts['places'],
  { question: { caller }, because = '', message }: AccessRefused,
  plan: RepositoryPlan,
  host: string | undefined,
): Promise<RegistryError> {
  // A mirror asks for a registry by its host: one that is not here is no secret.
  const foreign = plan.route.ns !== undefined && plan.registry !== places.home;
  if (foreign && !(await places.isThere(plan.registry)))
    return new RegistryError('nameUnknown', 'no such registry', { because });
  if (host === undefined) return loginNeeded(caller, message, because);
  // Who has shown nothing yet may have a login for a repository of such a name.
  return caller.via === 'bearer'
    ? noRule(host, because)
    : loginNeeded(caller, noRuleForHost(host), because);
}

/** A 401 for anonymous. Where an anonymous token was shown no other helps; `insufficient_scope` makes clients stop and print the reason. */
function loginNeeded(caller: Caller, message: string, because: string): RegistryError {
  const anonymousToken = { detail: { error: 'insufficient_scope', principal: 'anonymous' } };
  return new RegistryError('unauthorized', message, {
    ...(caller.via === 'bearer' ? anonymousToken : {}),
    because,
  });
}

function noRule(host: string, because: string): RegistryError {
  return new RegistryError('nameUnknown', noRuleForHost(host), { detail: { host }, because });
}

/** Reads the same for what is hidden and for what is not there (ECR's words, which its users search for). */
function unknownRepository({ registry, target }: RepositoryPlan, because: string): RegistryError {
  const { account } = registryOf(registry);
  const { repository } = target;
  return new RegistryError(
    'nameUnknown',
    `The repository with name '${repository}' does not exist in the registry with id '${account}'`,
    { detail: { repository, registryId: account }, because },
  );
}

const pullActions: ReadonlySet<string> = new Set([
  actions.getManifest,
  actions.getBlob,
  actions.checkBlob,
  actions.listTags,
]);

/** The registry that a pull means by its name and no rule leads to. Under such a name one may push. */
function hostWithoutRule(
  { registry, target }: RepositoryPlan,
  action: string,
  { home }: Pick<Places, 'home'>,
): string | undefined {
  if (!pullActions.has(action) || registry !== home || target.rule !== undefined) return undefined;
  return hostInName(target.repository);
}
