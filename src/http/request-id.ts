import type { IncomingHttpHeaders } from 'node:http';

/** What fits in a log line and a header as it is, and can't be mistaken for anything else. */
const idForm = /^[\w.:+/=@-]{1,128}$/;
/** W3C Trace Context, version 00: trace-id and parent-id; all zeros are invalid. */
const traceForm = /^00-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-[\da-f]{2}$/;

/**
 * The id that a trusted proxy gave a request: its `X-Request-Id`, else trace and parent of its `traceparent`, joined. `undefined`
 * where neither can be taken as it is.
 */
export function givenId(headers: IncomingHttpHeaders): string | undefined {
  const id = headers['x-request-id'];
  if (typeof id === 'string' && idForm.test(id)) return id;
  const { traceparent } = headers;
  const trace = typeof traceparent === 'string' ? traceForm.exec(traceparent) : null;
  return trace === null ? undefined : `${trace[1]}-${trace[2]}`;
}
