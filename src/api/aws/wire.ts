import type { ReplyNote } from '../../domain/served.ts';
import type { Reply } from '../../http/reply.ts';
import type { AwsError } from './aws-error.ts';
import type { Protocol } from './service-table.ts';
import type { ServiceModel } from './service-model.ts';
import { xmlAnswer, xmlText } from './xml-answer.ts';

/** How a client reads what it is answered. */
export interface Wire {
  answer(operation: string, value: object, model: ServiceModel, told: Told): Reply;
  error(error: AwsError, told: Told): Reply;
}

/** What a reply tells beside its value. */
export interface Told {
  readonly requestId: string;
  readonly note: ReplyNote;
  /** As the audit has it. */
  readonly principal?: string | undefined;
}

export function wireOf(protocol: Protocol): Wire {
  return protocol.kind === 'json'
    ? jsonWire(protocol.messageMember)
    : queryWire(protocol.xmlNamespace);
}

const jsonType = 'application/x-amz-json-1.1';

/** AWS JSON 1.1. `messageMember`: `message`, or `Message` where the service's model has that. */
export function jsonWire(messageMember: string): Wire {
  return {
    answer: (_operation, value, _model, told) =>
      reply(200, jsonType, JSON.stringify(value), told, {}),
    error: (error, told) =>
      errorReply(error, jsonType, told, () =>
        JSON.stringify({ __type: error.code, [messageMember]: error.message, ...error.members }),
      ),
  };
}

/** The query protocol: a form is asked, XML answered. */
export function queryWire(xmlNamespace: string): Wire {
  return {
    answer: (operation, value, model, told) =>
      reply(
        200,
        'text/xml',
        xmlAnswer({ model, xmlNamespace }, operation, value, told.requestId),
        told,
        {},
      ),
    error: (error, told) =>
      errorReply(error, 'text/xml', told, () => {
        const type = error.status >= 500 ? 'Receiver' : 'Sender';
        return `<ErrorResponse xmlns="${xmlText(xmlNamespace)}"><Error><Type>${type}</Type><Code>${xmlText(error.code)}</Code><Message>${xmlText(error.message)}</Message></Error><RequestId>${xmlText(told.requestId)}</RequestId></ErrorResponse>`;
      }),
  };
}

/** Smithy's RPC v2 in CBOR: errors alone, for clients that speak it. */
export const cborWire: Pick<Wire, 'error'> = {
  error: (error, told) =>
    errorReply(error, 'application/cbor', told, () =>
      Buffer.concat([
        Buffer.of(0xa2),
        cborText('__type'),
        cborText(error.code),
        cborText('message'),
        cborText(error.message),
      ]),
    ),
};

/** S3 reads its errors so (Amazon S3 API, "Error responses"). */
export const s3Wire: Pick<Wire, 'error'> = {
  error: (error, told) =>
    errorReply(
      error,
      'application/xml',
      told,
      () =>
        `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${xmlText(error.code)}</Code><Message>${xmlText(error.message)}</Message><RequestId>${xmlText(told.requestId)}</RequestId></Error>`,
    ),
};

/** A text of CBOR (RFC 8949 §3.1, major type 3), of at most 65,535 bytes. */
function cborText(text: string): Buffer {
  const bytes = Buffer.from(text.slice(0, 16_000));
  const head = Buffer.of(0x79, bytes.length >> 8, bytes.length & 0xff);
  return Buffer.concat([head, bytes]);
}

function errorReply(
  error: AwsError,
  contentType: string,
  told: Told,
  body: () => string | Uint8Array,
): Reply {
  const { status, code, message, retryAfterMs, because } = error;
  const noted = { ...told, note: { ...told.note, reason: because ?? message } };
  return reply(status, contentType, body(), noted, {
    'x-amzn-ErrorType': code,
    ...(contentType === 'application/cbor' ? { 'smithy-protocol': 'rpc-v2-cbor' } : {}),
    ...(retryAfterMs === undefined
      ? {}
      : { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
  });
}

function reply(
  status: number,
  contentType: string,
  body: string | Uint8Array,
  { requestId, note, principal }: Told,
  headers: Readonly<Record<string, string>>,
): Reply {
  return {
    status,
    headers: {
      'Content-Type': contentType,
      'x-amzn-RequestId': requestId,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      ...headers,
    },
    body,
    note,
    ...(principal === undefined ? {} : { principal }),
  };
}
