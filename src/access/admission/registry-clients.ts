import { RegistryError } from '../../domain/errors.ts';
import { registryOf } from '../../domain/names/registry.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { Asker, Audit, Caller } from '../access.ts';
import { denialOf } from '../audit/audit-entry.ts';

/**
 * An ECR password, a token of `/v2/token` or a download URL: made for registry clients, which keep them in files and pass them on. Nothing that
 * outlives them is made with them.
 */
export function isForRegistryClients({ via }: Caller): boolean {
  return via === 'ecr' || via === 'bearer' || via === 'download';
}

export function isOperator(caller: Caller, home: RegistryKey): boolean {
  const { principal, scopes } = caller;
  return (
    principal.kind === 'administrator' &&
    principal.account === registryOf(home).account &&
    scopes === undefined &&
    !isForRegistryClients(caller)
  );
}

export function refuseRegistryClient(
  { audit, home }: { readonly audit: Audit; readonly home: () => RegistryKey },
  asker: Asker,
  action: string,
  resource: string,
): RegistryError {
  const because = `shown as ${asker.caller.via}`;
  audit.record(denialOf(asker, action, { registry: home(), resource }, because));
  return new RegistryError('denied', 'a password or token for registry clients reads only', {
    detail: { action, hint: 'use an access key, or a token made by breakwater token create' },
  });
}

/**
 * Throws, and records it, for what registry clients log in with, and for temporary keys of a user or root: IAM gives them no right to identities, since
 * what they made would outlive them.
 */
export function requireLasting(
  parts: { readonly audit: Audit; readonly home: () => RegistryKey },
  asker: Asker,
  action: string,
  resource: string,
): void {
  if (isForRegistryClients(asker.caller))
    throw refuseRegistryClient(parts, asker, action, resource);
  const { via, principal } = asker.caller;
  if (via !== 'session' || principal.kind === 'role') return;
  const because = 'shown as keys of GetSessionToken';
  parts.audit.record(denialOf(asker, action, { registry: parts.home(), resource }, because));
  throw new RegistryError('denied', 'keys of GetSessionToken reach no users, keys or roles', {
    detail: { action, hint: 'use the access key itself, or assume a role' },
  });
}
