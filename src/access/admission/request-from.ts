import type { RequestFrom } from '../access.ts';

/** What of a request its front-end knows. */
interface KnownRequest {
  readonly id: string;
  readonly clientAddress: string;
  readonly secure: boolean;
  readonly isLoopback: boolean;
  readonly headers: { readonly 'user-agent'?: string | undefined };
}

/** Policies, and whoever compares their patterns, see no more of a header. */
const headerCharactersMax = 1024;

/** A request as conditions, throttling and the audit see it; one way for every front-end. */
export function requestFrom(request: KnownRequest, otherSite?: string): RequestFrom {
  return {
    address: request.clientAddress,
    secure: request.secure,
    isLoopback: request.isLoopback,
    userAgent: request.headers['user-agent']?.slice(0, headerCharactersMax),
    requestId: request.id,
    otherSite,
  };
}
