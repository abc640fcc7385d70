import type { Incoming } from '../../http/reply.ts';

/** The paths's own host where the request has none that can be written into a header. */
const unnamedHost = 'breakwater';
const hostPattern = /^[\w.:[\]-]{1,300}$/;

/** Scheme, host and port under which the client reached us, or where the operator says that it does. */
export function baseUrlOf(request: Incoming, publicUrl: string): string {
  if (publicUrl !== '') return publicUrl;
  return `${request.secure ? 'https' : 'http'}://${serviceOf(request, publicUrl)}`;
}

/** The audience of our tokens: the host, with its port. */
export function serviceOf(request: Incoming, publicUrl: string): string {
  if (publicUrl !== '') return new URL(publicUrl).host;
  const host = request.host ?? '';
  return hostPattern.test(host) ? host.toLowerCase() : unnamedHost;
}

/** RFC 6750 §3: printable ASCII without quotes and backslashes. */
export interface TokenError {
  readonly error: string;
  readonly description?: string;
}

/** The one challenge of a 401: where tokens are had, and for what (distribution's token specification; RFC 6750 §3). */
export function bearerChallenge(
  request: Incoming,
  publicUrl: string,
  options: {
    /** What a token should be asked for, scopes between spaces; empty for nothing in particular. */
    readonly scope: string;
    /** Says of a token that was shown that it is not enough, and why. */
    readonly tokenError: TokenError | undefined;
  },
): string {
  const service = serviceOf(request, publicUrl);
  const parts = [`realm="${baseUrlOf(request, publicUrl)}/v2/token"`, `service="${service}"`];
  if (options.scope !== '') parts.push(`scope="${options.scope}"`);
  const { tokenError } = options;
  if (tokenError !== undefined) {
    parts.push(`error="${tokenError.error}"`);
    if (tokenError.description !== undefined)
      parts.push(`error_description="${tokenError.description}"`);
  }
  return `Bearer ${parts.join(',')}`;
}

/** ECR's own challenge, for host names of its form. */
export function basicChallenge(request: Incoming, publicUrl: string): string {
  return `Basic realm="${baseUrlOf(request, publicUrl)}/",service="ecr.amazonaws.com"`;
}
