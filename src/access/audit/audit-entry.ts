import { describePrincipal } from '../../domain/policy/principal.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { Asker, AuditEntry } from '../access.ts';

/** What was changed, or asked for: a repository's name, a user's, an account's; empty where it is the registry itself. */
interface Subject {
  readonly registry: RegistryKey;
  readonly resource: string;
}

/** Of a change that was committed. */
export function changeOf(
  asker: Asker,
  action: string,
  subject: Subject,
  detail: AuditEntry['detail'] = {},
): AuditEntry {
  return { ...entryOf(asker, action, subject), kind: 'change', outcome: 'allowed', detail };
}

/** Of a refusal; `because` is for the audit alone, never for whoever was refused. */
export function denialOf(
  asker: Asker,
  action: string,
  subject: Subject,
  because: string,
): AuditEntry {
  const detail = { because };
  return { ...entryOf(asker, action, subject), kind: 'denial', outcome: 'denied', detail };
}

function entryOf(
  { caller, from }: Asker,
  action: string,
  { registry, resource }: Subject,
): Pick<AuditEntry, 'principal' | 'action' | 'resource' | 'registry' | 'address' | 'requestId'> {
  return {
    principal: describePrincipal(caller.principal),
    action,
    resource,
    registry,
    address: from.address,
    requestId: from.requestId,
  };
}
