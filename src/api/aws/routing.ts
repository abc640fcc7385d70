import type { Incoming } from '../../http/reply.ts';
import { readForm } from './form-body.ts';
import type { AwsService } from './service-table.ts';

/** What a request is to the endpoint. */
export type Asked =
  /** By `X-Amz-Target`; `service` absent: one that is not served. */
  | {
      readonly kind: 'json';
      readonly service: AwsService | undefined;
      readonly operation: string;
      readonly target: string;
    }
  /** By parameters: of a form in the body, or of the query where `parameters` are there. */
  | { readonly kind: 'query'; readonly parameters: ReadonlyMap<string, string> | undefined }
  | { readonly kind: 'cbor'; readonly service: string }
  /** Of a service that has paths, of which none is served: named as the signature has it. */
  | { readonly kind: 'path'; readonly service: string };

/** Whether a request is for the AWS endpoint rather than for the registry; paths of `/v2/` and `/api/` never are. */
export function isAwsRequest({ method, path, query, headers }: Incoming): boolean {
  if (path === '/' && method === 'POST') return true;
  if (headers['smithy-protocol'] !== undefined) return true;
  return (
    headers.authorization?.startsWith('AWS4-') === true || /(?:^|&)X-Amz-Signature=/.test(query)
  );
}

const cborPath = /^\/service\/([\w.-]{1,128})\/operation\/[\w.-]{1,128}$/;

/** Reads what is asked for of the head alone. */
export function readAsked(request: Incoming, services: readonly AwsService[]): Asked {
  const { method, path, query, headers } = request;
  const cbor = cborPath.exec(path);
  if (cbor !== null) return { kind: 'cbor', service: cbor[1] ?? '' };
  const target = headers['x-amz-target'];
  if (path === '/' && method === 'POST' && typeof target === 'string')
    return { kind: 'json', target, ...readTarget(target, services) };
  if (path === '/' && method === 'POST') return { kind: 'query', parameters: undefined };
  const isQuery =
    path === '/' && (method === 'GET' || method === 'HEAD') && /(?:^|&)Action=/.test(query);
  if (isQuery) return { kind: 'query', parameters: readForm(query) ?? new Map() };
  return { kind: 'path', service: signedService(request) };
}

function readTarget(
  target: string,
  services: readonly AwsService[],
): { readonly service: AwsService | undefined; readonly operation: string } {
  const dot = target.lastIndexOf('.');
  const prefix = target.slice(0, Math.max(dot, 0));
  const service = services.find(
    ({ protocol }) => protocol.kind === 'json' && protocol.targetPrefix === prefix,
  );
  return { service, operation: target.slice(dot + 1) };
}

/** As the scope of the credential says it; empty where it can't be read. */
function signedService({ headers, query }: Incoming): string {
  const shown = headers.authorization ?? decode(query);
  return /Credential=[^/\s,&]{1,128}\/\d{8}\/[\w-]{1,64}\/([\w-]{1,64})\//.exec(shown)?.[1] ?? '';
}

function decode(text: string): string {
  return text.slice(0, 4096).replaceAll(/%2f/gi, '/');
}

/** The service that takes forms of that version, and where there is none the one that has the operation. */
export function serviceOfForm(
  parameters: ReadonlyMap<string, string>,
  services: readonly AwsService[],
): AwsService | undefined {
  const version = parameters.get('Version');
  const action = parameters.get('Action') ?? '';
  return services.find(({ protocol, rows }) =>
    protocol.kind !== 'query'
      ? false
      : version === undefined
        ? rows.has(action)
        : protocol.version === version,
  );
}
