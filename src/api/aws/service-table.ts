import type { Asking } from '../operation.ts';
import type { RegistryError } from '../../domain/errors.ts';
import type { AwsError } from './aws-error.ts';
import type { ErrorNames } from './error-names.ts';
import type { InputProblem } from './input.ts';
import type { ServiceModel } from './service-model.ts';

/** Who asks an operation of an AWS service. */
export interface AwsAsking extends Asking {
  /** Of the access key; the home account for what needs no signature. */
  readonly account: string;
  /** As the client wrote it into its signature: answers name it, also where it is no registry of its own. */
  readonly region: string;
}

/** Types of one operation, as a generated model has them. */
interface OperationTypes {
  readonly input: object;
  readonly output: object;
}

/** One operation as a service offers it. Its input was checked against the model before. */
export interface AwsRow<Types extends OperationTypes> {
  /** Not by the passwords and tokens that registry clients log in with. */
  readonly changes: boolean;
  /** Asked without a signature too; the asker is anonymous then. */
  readonly unsigned?: boolean;
  /** Of the body; absent: `callBytesMax`. */
  readonly bodyBytesMax?: number;
  readonly answer: (
    input: Types['input'],
    asking: AwsAsking,
  ) => Types['output'] | Promise<Types['output']>;
}

/** Rows of some of a service's operations. */
export type AwsRows<Operations extends Record<keyof Operations, OperationTypes>> = {
  readonly [Name in keyof Operations]?: AwsRow<Operations[Name]>;
};

/** A row whose types are forgotten: what the endpoint sees of it. */
export type AnyRow = AwsRow<{ readonly input: never; readonly output: object }>;

/** What is known of a call when something in it fails. */
export interface FailedCall {
  readonly operation: string;
  /** Empty until it is read. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly asking: AwsAsking;
  readonly model: ServiceModel;
}

export type Protocol =
  | { readonly kind: 'json'; readonly targetPrefix: string; readonly messageMember: string }
  | { readonly kind: 'query'; readonly version: string; readonly xmlNamespace: string };

/** One AWS service at the endpoint. */
export interface AwsService {
  /** In the scope of a signature; its route in logs and metrics too. */
  readonly name: string;
  /** `AWS_ENDPOINT_URL_…`: by which clients are pointed at this endpoint for this service alone. */
  readonly endpointVariable: string;
  /** Of its actions in policies and the audit. */
  readonly actionPrefix: string;
  readonly protocol: Protocol;
  readonly model: () => ServiceModel | Promise<ServiceModel>;
  readonly rows: ReadonlyMap<string, AnyRow>;
  readonly errorNames: ErrorNames;
  readonly inputError: (problem: InputProblem) => AwsError;
  readonly knownError: (error: RegistryError, call: FailedCall) => AwsError;
}

/** Of a call without bytes of an image in it. */
export const callBytesMax: number = 1024 * 1024;

/** A service's model, loaded with the first call. */
export function loadedOnce(
  load: () => Promise<{ readonly model: ServiceModel }>,
): () => ServiceModel | Promise<ServiceModel> {
  let model: ServiceModel | undefined;
  return () => model ?? load().then((module) => (model = module.model));
}

export function rowsOf<Operations extends Record<keyof Operations, OperationTypes>>(
  ...parts: readonly AwsRows<Operations>[]
): ReadonlyMap<string, AnyRow> {
  return new Map(parts.flatMap((rows) => Object.entries(rows) as [string, AnyRow][]));
}
