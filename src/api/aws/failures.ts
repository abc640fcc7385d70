import { AccessRefused } from '../../access/admission/admission.ts';
import { SignatureRefused } from '../../access/signatures/signature-refused.ts';
import { asStorageError } from '../../cache/space/storage-answer.ts';
import { RegistryError } from '../../domain/errors.ts';
import { registryOf, repositoryArn } from '../../domain/names/registry.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import { AwsError } from './aws-error.ts';
import { commonError, commonNames, queryNames } from './error-names.ts';
import type { ErrorNames } from './error-names.ts';
import { InputRefused } from './input.ts';
import type { AwsService, FailedCall, Protocol } from './service-table.ts';
import { signatureError } from './signature-errors.ts';

/** As far as it is known what was asked. */
export interface Failed {
  readonly kind: Protocol['kind'];
  readonly service?: AwsService | undefined;
  readonly call?: FailedCall | undefined;
}

/** What was thrown, in the words of the service that was asked; `undefined`: nothing that a client may be told. */
export function errorOf(thrown: unknown, failed: Failed): AwsError | undefined {
  const { kind, service, call } = failed;
  const error = asStorageError(thrown);
  if (error instanceof AwsError) return error;
  if (error instanceof InputRefused) return service?.inputError(error.problem);
  if (!(error instanceof RegistryError) || error.code === 'internal') return undefined;
  if (error instanceof SignatureRefused)
    return signatureError(error.problem, error.message, kind, error);
  const names = namesOf(failed);
  if (error instanceof AccessRefused && call !== undefined) return accessDenied(error, call, names);
  if (service === undefined || call === undefined) return commonError(error, names);
  return service.knownError(error, call);
}

export function internalError(failed: Failed): AwsError {
  return commonError(new RegistryError('internal', 'internal error'), namesOf(failed));
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
  const message = `User: ${describePrincipal(caller.principal)} is not authorized to perform: ${action} on resource: ${arn} because no identity-based policy allows the ${action} action`;
  return new AwsError(code, message, { status, because });
}

function namesOf({ kind, service }: Failed): ErrorNames {
  return service?.errorNames ?? (kind === 'json' ? commonNames : queryNames);
}

export function unknownOperation({ protocol, name }: AwsService, operation: string): AwsError {
  const why = `Breakwater serves no operation ${operation} of ${name}`;
  return protocol.kind === 'json'
    ? new AwsError('UnknownOperationException', why)
    : new AwsError(
        'InvalidAction',
        `Could not find operation ${operation} for version ${protocol.version}: ${why}`,
      );
}
