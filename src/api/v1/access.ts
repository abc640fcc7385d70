import * as z from 'zod';
import type { Authorizer, Caller } from '../../access/access.ts';
import type { Identities } from '../../access/accounts/identities.ts';
import type { AuditView } from '../../contract/access-view.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { RegistryError } from '../../domain/errors.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import type { AuditRow } from '../../metadata/contract/rows.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Admission } from './admission.ts';
import type { Endpoint } from './endpoint.ts';
import { endpoint } from './endpoint.ts';
import { fields } from './input.ts';
import { findNamed, readPrincipalName } from './named-principal.ts';
import * as outputs from './outputs.ts';
import { isoTime, pageOf, readCursor } from './page.ts';

export interface AccessParts {
  readonly admission: Admission;
  readonly authorizer: Pick<Authorizer, 'explain'>;
  readonly identities: Pick<Identities, 'findPrincipal'>;
  readonly metadata: Pick<Metadata, 'identities' | 'records'>;
}

/** What registry clients do, by a word of their own: all of its actions must be allowed. */
const deeds: Readonly<Record<string, readonly Action[]>> = {
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

/** Why decisions are as they are, and what was decided and changed. */
export function accessEndpoints(parts: AccessParts): readonly Endpoint[] {
  const { admission, authorizer, metadata } = parts;
  return [
    endpoint({
      method: 'POST',
      path: 'access/can',
      summary: 'Whether a principal may do something, and which statement decides',
      input: z.strictObject({
        principal: fields.reference,
        action: fields.name,
        repository: fields.repository,
        account: fields.account,
        region: fields.region,
        sourceIp: fields.address,
      }),
      output: outputs.accessDecision,
      answer: async ({ input, ...asker }) => {
        const { account } = asker.principal;
        const owner = { account: input.account ?? account, name: undefined };
        await admission.requireIdentity(asker, identityActions.simulatePolicy, owner);
        const place = admission.place(input, asker);
        const named = readPrincipalName(input.principal, account);
        if (named !== undefined)
          await admission.requireIdentity(asker, identityActions.simulatePolicy, named);
        const caller: Caller = {
          principal: await findNamed(parts, named),
          via: 'key',
          scopes: undefined,
        };
        const { repository, rule } = place.target;
        let verdict = { allowed: false, because: '' };
        for (const action of readActions(input.action)) {
          verdict = await authorizer.explain({
            caller,
            action,
            registry: place.registry,
            repository,
            rule,
            from: { ...asker.from, address: input.sourceIp ?? asker.from.address },
          });
          if (!verdict.allowed) break;
        }
        return { allowed: verdict.allowed, because: verdict.because };
      },
    }),
    endpoint({
      method: 'GET',
      path: 'audit',
      summary: 'Changes, denials and logins, the newest first',
      operator: true,
      input: z.strictObject({
        account: fields.account,
        limit: fields.limit,
        cursor: fields.cursor,
      }),
      output: outputs.listOf(outputs.auditEntry),
      answer: async ({ input: { account, limit, cursor } }) => {
        const before = readId(cursor);
        const rows = await metadata.records.listAudit({ account, before, limit: limit + 1 });
        return pageOf(rows, limit, { view: viewAudit, keyOf: ({ id }) => [String(id)] });
      },
    }),
  ];
}

function readActions(text: string): readonly Action[] {
  const word = text.toLowerCase();
  const known = Object.values(actions).find((action) => action.toLowerCase() === word);
  const found =
    known === undefined ? Object.entries(deeds).find(([deed]) => deed === word)?.[1] : [known];
  if (found !== undefined) return found;
  throw new RegistryError('requestInvalid', `action: ${text} is none that Breakwater asks`, {
    detail: {
      field: 'action',
      hint: `write ${Object.keys(deeds).join(', ')}, or one of ${Object.values(actions).join(', ')}`,
    },
  });
}

function readId(cursor: string | undefined): number | undefined {
  const [id] = readCursor(cursor, 1) ?? [];
  if (id === undefined) return undefined;
  if (/^\d{1,15}$/.test(id)) return Number(id);
  throw new RegistryError('paginationInvalid', 'cursor: not one of this list');
}

function viewAudit(row: AuditRow): AuditView {
  const { at, detail, ...rest } = row;
  return {
    ...rest,
    at: isoTime(at),
    detail: JSON.parse(detail) as AuditView['detail'],
  };
}
