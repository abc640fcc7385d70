import { arnOf } from '../../domain/policy/principal.ts';
import type { Incoming } from '../../http/reply.ts';
import type { RepeatableCall } from '../../operations/repeated-calls.ts';
import { shapeNamed } from './service-model.ts';
import type { ServiceModel } from './service-model.ts';
import type { AwsAsking, AwsService } from './service-table.ts';

interface Called {
  readonly request: Incoming;
  readonly service: AwsService;
  readonly operation: string;
  readonly asking: AwsAsking;
  /** Absent: nobody signed it. */
  readonly signed?: Pick<RepeatableCall, 'accessKeyId' | 'bodySha256'>;
}

const invocationForm = /^[\x21-\x7e]{1,128}$/;

/**
 * What makes an attempt one of the same call: SDKs name each call in `amz-sdk-invocation-id` and send the same one, with the same body, when
 * they try again. `undefined` where the client names none, and where the answer holds a secret, which is kept nowhere.
 */
export function repeatableCall(
  { request, service, operation, asking, signed }: Called,
  model: ServiceModel,
): RepeatableCall | undefined {
  const invocation = request.headers['amz-sdk-invocation-id'];
  if (signed === undefined || typeof invocation !== 'string' || !invocationForm.test(invocation))
    return undefined;
  if (answersSecret(model, operation)) return undefined;
  const { accessKeyId, bodySha256 } = signed;
  const asked = [service.name, asking.region, operation].join(' ');
  const principal = arnOf(asking.caller.principal) ?? accessKeyId;
  return { accessKeyId, principal, bodySha256, invocation, operation: asked };
}

const secretive = new WeakMap<ServiceModel, Map<string, boolean>>();

/** Whether the model marks anything in the operation's answers as a secret. It has the shapes of answers that are XML; what changes something is answered without secrets elsewhere. */
export function answersSecret(model: ServiceModel, operation: string): boolean {
  const known = secretive.get(model) ?? new Map<string, boolean>();
  secretive.set(model, known);
  let isSecret = known.get(operation);
  if (isSecret === undefined) {
    const output = model.operations[operation]?.output;
    isSecret = output !== undefined && reachesSecret(model, output, new Set());
    known.set(operation, isSecret);
  }
  return isSecret;
}

function reachesSecret(model: ServiceModel, name: string, seen: Set<string>): boolean {
  if (seen.has(name)) return false;
  seen.add(name);
  const { secret, members = {}, of, value } = shapeNamed(model, name);
  if (secret === true) return true;
  return [...Object.values(members), of, value].some(
    (each) => each !== undefined && reachesSecret(model, each, seen),
  );
}
