import type { Asker, Authorizer, Caller } from '../access/access.ts';
import { userIdOf } from '../access/identify/unique-id.ts';
import type { Admission } from '../access/admission/admission.ts';
import type { EcrPassword } from '../access/identify/registry-tokens.ts';
import { formatScope } from '../access/secrets/scopes.ts';
import type { AccessDecisionView, AuditView, WhoamiView } from '../contract/access-view.ts';
import type { Listing } from '../contract/admin-view.ts';
import { RegistryError } from '../domain/errors.ts';
import type { RegistryKey } from '../domain/names/registry.ts';
import { actions } from '../domain/policy/access-action.ts';
import type { Action } from '../domain/policy/access-action.ts';
import { identityActions } from '../domain/policy/identity-action.ts';
import { describePrincipal } from '../domain/policy/principal.ts';
import type { AuditRow } from '../metadata/contract/rows.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import { findNamed, readPrincipalName } from './named-principal.ts';
import { isoTime, pageOf, readCursor } from './page.ts';
import type { PageInput } from './page.ts';
import type { Places, RegistryInput, RepositoryInput } from './places.ts';

export interface AuthorizationToken extends EcrPassword {
  /** The registry that was asked for; the password is good for each that the asker may reach. */
  readonly registry: RegistryKey;
}

/** Who somebody is and what they may, why it was decided so, and what was. Each throws `RegistryError`. */
export interface AccessViews {
  whoami(asker: Asker): WhoamiView;
  /** A password of twelve hours for registry clients, as ECR gives it; within the asker's own limits. */
  authorizationToken(asker: Asker, input: RegistryInput): Promise<AuthorizationToken>;
  /** `action`: one of ECR's, or a word for all that registry clients need to pull, push, delete or import. */
  can(
    asker: Asker,
    input: RepositoryInput & {
      readonly principal: string;
      readonly action: string;
      /** From where; absent: from where the asker is. */
      readonly sourceIp?: string | undefined;
    },
  ): Promise<AccessDecisionView>;
  /** Changes, denials and logins, the newest first. For the operator alone, which is the front-end's to ask. */
  audit(input: PageInput & { readonly account?: string | undefined }): Promise<Listing<AuditView>>;
}

export interface AccessViewsParts {
  readonly admission: Admission;
  readonly places: Places;
  readonly authorizer: Pick<Authorizer, 'explain'>;
  readonly metadata: Pick<Metadata, 'identities' | 'roles' | 'records'>;
  readonly ecrPassword: (caller: Caller) => Promise<EcrPassword>;
}

/** What registry clients do, by a word of their own: all of its actions must be allowed. */
const actionGroups: Readonly<Record<string, readonly Action[]>> = {
  pull: [actions.getManifest, actions.getBlob],
  push: [
    actions.startUpload,
    actions.appendUpload,
    actions.finishUpload,
    actions.checkBlob,
    actions.putManifest,
  ],
  delete: [actions.delete],
  import: [actions.importUpstream, actions.createRepository],
};

export function createAccessViews(parts: AccessViewsParts): AccessViews {
  const { admission, places, metadata } = parts;
  return {
    whoami: ({ caller }) => viewCaller(caller, admission.isOperator(caller)),
    authorizationToken: async (asker, input) => {
      const own = places.registry({ region: input.region }, asker);
      await admission.requireInRegistry(asker, actions.getAuthorizationToken, own);
      const given = await parts.ecrPassword(asker.caller);
      return { ...given, registry: places.registry(input, asker) };
    },
    can: (asker, input) => decide(parts, asker, input),
    audit: async ({ account, limit, cursor }) => {
      const before = readId(cursor);
      const rows = await metadata.records.listAudit({ account, before, limit: limit + 1 });
      return pageOf(rows, limit, { view: viewAudit, keyOf: ({ id }) => [String(id)] });
    },
  };
}

async function decide(
  parts: AccessViewsParts,
  asker: Asker,
  input: Parameters<AccessViews['can']>[1],
): Promise<AccessDecisionView> {
  const { admission, places, authorizer, metadata } = parts;
  const root = { account: places.accountOf(input, asker), name: undefined };
  await admission.requireIdentity(asker, identityActions.simulatePolicy, root);
  const { registry, target } = places.place(input, asker);
  const named = readPrincipalName(input.principal, places.accountOf({}, asker));
  if (named !== undefined)
    await admission.requireIdentity(asker, identityActions.simulatePolicy, named);
  const caller = await findNamed(metadata, named);
  const { repository, rule } = target;
  const from = { ...asker.from, address: input.sourceIp ?? asker.from.address };
  let verdict = { allowed: false, because: '' };
  for (const action of readActions(input.action)) {
    verdict = await authorizer.explain({ caller, action, registry, repository, rule, from });
    if (!verdict.allowed) break;
  }
  return { allowed: verdict.allowed, because: verdict.because };
}

function readActions(text: string): readonly Action[] {
  const word = text.toLowerCase();
  const known = Object.values(actions).find((action) => action.toLowerCase() === word);
  const found =
    known === undefined
      ? Object.entries(actionGroups).find(([group]) => group === word)?.[1]
      : [known];
  if (found !== undefined) return found;
  throw new RegistryError('requestInvalid', `action: ${text} is none that Breakwater asks`, {
    detail: {
      field: 'action',
      hint: `write ${Object.keys(actionGroups).join(', ')}, or one of ${Object.values(actions).join(', ')}`,
    },
  });
}

function readId(cursor: string | undefined): number | undefined {
  const [id] = readCursor(cursor, 1) ?? [];
  if (id === undefined) return undefined;
  if (/^\d{1,15}$/.test(id)) return Number(id);
  throw new RegistryError('paginationInvalid', 'cursor: not one of this list');
}

function viewCaller({ principal, via, scopes, madeAt = 0 }: Caller, operator: boolean): WhoamiView {
  if (principal.kind === 'anonymous')
    throw new RegistryError('unauthorized', 'credentials are needed');
  return {
    principal: describePrincipal(principal),
    id: userIdOf(principal, madeAt),
    account: principal.account,
    kind: principal.kind,
    name: principal.kind === 'administrator' ? null : principal.name,
    via,
    scopes: scopes?.map(formatScope) ?? null,
    operator,
  };
}

function viewAudit(row: AuditRow): AuditView {
  const { at, detail, ...rest } = row;
  return { ...rest, at: isoTime(at), detail: JSON.parse(detail) as AuditView['detail'] };
}
