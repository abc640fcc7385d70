import { anonymousCaller } from '../../access/access.ts';
import type { RequestFrom, SignedClaim, SignedIdentity, Signatures } from '../../access/access.ts';
import { requestFrom } from '../../access/admission/admission.ts';
import type { Admission } from '../../access/admission/admission.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { registryOf } from '../../domain/names/registry.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import { crossSiteReason } from '../../http/cross-site.ts';
import type { Handler, Incoming, Reply } from '../../http/reply.ts';
import type { RepeatableCall, RepeatedCalls } from '../../operations/repeated-calls.ts';
import { AwsError } from './aws-error.ts';
import { readCallBody } from './call-body.ts';
import { commonNames, queryNames, signatureError } from './error-names.ts';
import type { ErrorNames } from './error-names.ts';
import { errorOf, internalError, unknownOperation } from './failures.ts';
import { readForm, valueOfForm } from './form-body.ts';
import { readInput } from './input.ts';
import { parseJsonBody } from './json-body.ts';
import { notServed } from './not-served.ts';
import { readAsked, serviceOfForm } from './routing.ts';
import type { Asked } from './routing.ts';
import { repeatableCall } from './repeatable-call.ts';
import { callBytesMax } from './service-table.ts';
import type { AnyRow, AwsAsking, AwsService } from './service-table.ts';
import type { ServiceModel } from './service-model.ts';
import { cborWire, jsonWire, queryWire, s3Wire, wireOf } from './wire.ts';
import type { Told, Wire } from './wire.ts';

export interface AwsParts {
  /** In the order in which an error names them. */
  readonly services: readonly AwsService[];
  readonly signatures: Signatures;
  readonly admission: Pick<Admission, 'requireCredential'>;
  readonly home: () => RegistryKey;
  /** Without a trailing slash; empty: the request's Host. */
  readonly publicUrl: () => string;
  readonly repeatedCalls: Pick<RepeatedCalls, 'answer'>;
  /** Told of what was answered as an internal error. */
  readonly failed: (error: unknown, requestId: string) => void;
}

/** One request on its way: what is known of it so far is what its error tells. */
interface Call {
  readonly request: Incoming;
  readonly from: RequestFrom;
  names: ErrorNames;
  wire: Pick<Wire, 'error'>;
  service?: AwsService;
  operation: string;
  input: Readonly<Record<string, unknown>>;
  asking?: AwsAsking;
  /** By whose key, and over which body. */
  signed?: Pick<RepeatableCall, 'accessKeyId' | 'bodySha256'>;
  model?: ServiceModel;
}

/** The row that is asked, and how it is answered. */
interface Served {
  readonly service: AwsService;
  readonly row: AnyRow;
  readonly wire: Wire;
}

/** Of what is no call of a service, as far as it is known. */
const plainWire = jsonWire('message');

/** Of a form: no operation that takes one has long inputs. */
const formBytesMax = 256 * 1024;

/**
 * The AWS APIs of the main listener: `POST /` by `X-Amz-Target`, `POST /` and `GET /` by `Action`. What else is signed as AWS requests
 * are is told that it is not served. Never throws.
 */
export function createAwsHandler(parts: AwsParts): Handler {
  return async (request) => {
    const from = requestFrom(request, crossSiteReason(request, parts.publicUrl()));
    const call: Call = {
      request,
      from,
      names: commonNames,
      wire: plainWire,
      operation: '',
      input: {},
    };
    try {
      return await answer(parts, call);
    } catch (error) {
      return refuse(parts, call, error);
    }
  };
}

/** The reply to what broke before a body's first byte, for the server's `replyTo`. */
export function awsErrorReply(error: unknown, request: Incoming): Reply {
  const failed = { names: commonNames };
  const told = { requestId: request.id, note: { route: 'aws' } };
  return plainWire.error(errorOf(error, failed) ?? internalError(failed), told);
}

function refuse(parts: AwsParts, call: Call, error: unknown): Reply {
  const { request, names, wire, service, operation, input, asking, model } = call;
  const failed = {
    names,
    service,
    call:
      asking === undefined || model === undefined ? undefined : { operation, input, asking, model },
  };
  const known = errorOf(error, failed);
  if (known === undefined) parts.failed(error, request.id);
  return wire.error(known ?? internalError(failed), toldOf(call));
}

function toldOf({ request, service, operation, input, asking }: Call): Told {
  const { repositoryName } = input;
  return {
    requestId: request.id,
    note: {
      route: service?.name ?? 'aws',
      ...(operation === '' ? {} : { operation }),
      ...(typeof repositoryName === 'string' ? { repository: repositoryName } : {}),
    },
    principal: asking && describePrincipal(asking.caller.principal),
  };
}

async function answer(parts: AwsParts, call: Call): Promise<Reply> {
  const asked = readAsked(call.request, parts.services);
  switch (asked.kind) {
    case 'json':
      return await answerJson(parts, call, asked);
    case 'query':
      return await answerForm(parts, call, asked.parameters);
    case 'cbor':
      call.wire = cborWire;
      throw notServed(parts.services, `${asked.service} by rpc-v2-cbor`);
    case 'path':
      if (asked.service === 's3') call.wire = s3Wire;
      throw notServed(parts.services, asked.service || call.request.path.slice(0, 128));
  }
}

async function answerJson(
  parts: AwsParts,
  call: Call,
  { service, operation, target }: Asked & { kind: 'json' },
): Promise<Reply> {
  if (service === undefined) throw notServed(parts.services, target.slice(0, 128));
  const served = begin(call, service, operation);
  const claim = await claimOf(parts, call, service);
  const bytesMax = served.row.bodyBytesMax ?? callBytesMax;
  const { chunks, sha256 } = await readCallBody(call.request, bytesMax);
  const identity = await claim.verify(sha256);
  call.signed = { ...identity, bodySha256: sha256 };
  const asking = askingOf(parts, call, identity);
  call.asking = asking;
  const parsed = await parseJsonBody(chunks);
  if (parsed === undefined)
    throw new AwsError(
      'SerializationException',
      'The body is not JSON, or has more parts than any input',
    );
  return await run(parts, call, { ...served, asking }, () => parsed.value);
}

async function answerForm(
  parts: AwsParts,
  call: Call,
  inQuery: ReadonlyMap<string, string> | undefined,
): Promise<Reply> {
  const { request } = call;
  call.names = queryNames;
  call.wire = queryWire(formsOf(parts)[0]?.xmlNamespace ?? '');
  // Whoever shows an unknown key, or none that is in time, is refused before a body is read.
  const early = isSigned(request) ? await parts.signatures.begin(request, call.from) : undefined;
  const body = await readCallBody(request, formBytesMax);
  const parameters = inQuery ?? readForm(Buffer.concat(body.chunks).toString('utf8'));
  if (parameters === undefined || !parameters.has('Action'))
    throw notServed(parts.services, 'a request without X-Amz-Target or Action');
  const operation = parameters.get('Action')?.slice(0, 128) ?? '';
  const service = serviceOfForm(parameters, parts.services);
  if (service === undefined)
    throw notServed(
      parts.services,
      `${operation} of ${parameters.get('Version')?.slice(0, 32) ?? 'no version'}`,
    );
  const served = begin(call, service, operation);
  if (early === undefined && served.row.unsigned !== true) throw missing(service);
  if (early !== undefined) requireScope(early, service);
  const identity = await early?.verify(body.sha256);
  if (identity !== undefined) call.signed = { ...identity, bodySha256: body.sha256 };
  const asking = askingOf(parts, call, identity);
  call.asking = asking;
  return await run(parts, call, { ...served, asking }, (model, shape) =>
    valueOfForm(model, shape, parameters),
  );
}

function formsOf({ services }: AwsParts): { readonly xmlNamespace: string }[] {
  return services.flatMap(({ protocol }) => (protocol.kind === 'query' ? [protocol] : []));
}

function isSigned({ headers, query }: Incoming): boolean {
  return headers.authorization !== undefined || /(?:^|&)X-Amz-Signature=/.test(query);
}

/** From here on errors are told in the service's words. Throws where it has no operation of that name. */
function begin(call: Call, service: AwsService, operation: string): Served {
  const wire = wireOf(service.protocol);
  call.service = service;
  call.names = service.errorNames;
  call.wire = wire;
  const row = service.rows.get(operation);
  if (row === undefined) throw unknownOperation(service, operation.slice(0, 128));
  call.operation = operation;
  return { service, row, wire };
}

async function claimOf(parts: AwsParts, call: Call, service: AwsService): Promise<SignedClaim> {
  if (!isSigned(call.request)) throw missing(service);
  const claim = await parts.signatures.begin(call.request, call.from);
  requireScope(claim, service);
  return claim;
}

function missing({ errorNames }: AwsService): AwsError {
  return signatureError('missing', 'Missing Authentication Token', errorNames);
}

function requireScope(claim: SignedClaim, { name, errorNames }: AwsService): void {
  if (claim.service === name) return;
  const message = `Credential should be scoped to correct service: '${name}'.`;
  throw signatureError('wrong', message, errorNames);
}

function askingOf(parts: AwsParts, { request, from }: Call, identity?: SignedIdentity): AwsAsking {
  const { account, region } = identity ?? registryOf(parts.home());
  const origin = `${request.secure ? 'https' : 'http'}://${request.host ?? 'localhost'}`;
  return {
    caller: identity?.caller ?? anonymousCaller,
    from,
    origin,
    signal: request.signal,
    account,
    region,
  };
}

async function run(
  { admission, repeatedCalls }: AwsParts,
  call: Call,
  { service, row, wire, asking }: Served & { readonly asking: AwsAsking },
  read: (model: ServiceModel, shape: string) => unknown,
): Promise<Reply> {
  const { operation } = call;
  const model = await service.model();
  call.model = model;
  admission.requireCredential(asking, `${service.actionPrefix}:${operation}`, {
    changes: row.changes,
    operator: false,
  });
  const shape = model.operations[operation]?.input;
  if (shape !== undefined)
    call.input = readInput(model, shape, read(model, shape)) as Call['input'];
  const attempt = async (): Promise<object> => await row.answer(call.input as never, asking);
  const repeatable = row.changes ? repeatableCall({ ...call, service, asking }, model) : undefined;
  const value =
    repeatable === undefined ? await attempt() : await repeatedCalls.answer(repeatable, attempt);
  return wire.answer(operation, value, model, toldOf(call));
}
