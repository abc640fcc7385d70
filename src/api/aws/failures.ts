import { AccessRefused } from '../../access/admission/admission.ts';
import { SignatureRefused } from '../../access/signatures/signature-refused.ts';
import { asStorageError } from '../../cache/space/storage-answer.ts';
import { RegistryError } from '../../domain/errors.ts';
import { registryOf, repositoryArn } from '../../domain/names/registry.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import { AwsError } from './aws-error.ts';
import { commonError, signatureError } from './error-names.ts';
import type { ErrorNames } from './error-names.ts';
import { InputRefused } from './input.ts';
import type { AwsService, FailedCall } from './service-table.ts';

/** As far as it is known what was asked. */
export interface Failed {
  /** Of the protocol, and of the service once that is known. */
  readonly names: ErrorNames;
  readonly service?: AwsService | undefined;
  readonly call?: FailedCall | undefined;
}

/** What was thrown, in the words of the service that was asked; `undefined`: nothing that a client may be told. */
export function errorOf(thrown: unknown, failed: Failed): AwsError | undefined {
  const { names, service, call } = failed;
  const error = asStorageError(thrown);
  if (error instanceof AwsError) return error;
  if (error instanceof InputRefused) return service?.inputError(error.problem);
  if (!(error instanceof RegistryError) || error.code === 'internal') return undefined;
  if (error instanceof SignatureRefused)
    return signatureError(error.problem, error.message, names, error);
  if (error instanceof AccessRefused && call !== undefined) return accessDenied(error, call, names);
  if (service === undefined || call === undefined) return commonError(error, names);
  return service.knownError(error, call);
}

export function internalError({ names }: Pick<Failed, 'names'>): AwsError {
  return commonError(new RegistryError('internal', 'internal error'), names);
}

/** AWS's words, alike whether what was asked about is there or not. */
function accessDenied(
  { question, because }: AccessRefused,
  { asking }: FailedCall,
  names: ErrorNames,
): AwsError {
  const { action, registry, repository, caller, resource, resourceAsAsked } = question;
  const { account } = registryOf(registry);
  const arn =
    resourceAsAsked ??
    resource ??
    (repository === undefined ? '*' : repositoryArn(`${account}/${asking.region}`, repository));
  const { code, status } = names.denied;
  const message =
    caller.principal.kind === 'anonymous'
      ? `Not authorized to perform ${action}`
      : `User: ${describePrincipal(caller.principal)} is not authorized to perform: ${action} on resource: ${arn} because no identity-based policy allows the ${action} action`;
  return new AwsError(code, message, { status, because });
}

export function unknownOperation(
  { protocol, name, errorNames }: AwsService,
  operation: string,
): AwsError {
  const { code, status } = errorNames.unknownOperation;
  const why = `Breakwater serves no operation ${operation} of ${name}`;
  const message =
    protocol.kind === 'json'
      ? why
      : `Could not find operation ${operation} for version ${protocol.version}: ${why}`;
  return new AwsError(code, message, { status });
}
