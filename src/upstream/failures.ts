import type { FailureKind, FailureReason } from '../domain/upstream-failure.ts';
import { failure, UpstreamFailure } from '../domain/upstream-failure.ts';
import { AddressRefused } from '../domain/names/address-guard.ts';

/** What a thrown error of the network means, without the error itself, whose text names hosts and addresses; an `UpstreamFailure` passes as it is. `asked` is the host that was dialled, `upstream` the one that is reported. */
export function failureOfError(error: unknown, upstream: string, asked: string): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  if (error instanceof AddressRefused) {
    return failure(
      `${asked} leads to an address that is not admitted`,
      'invalid',
      'addressRefused',
      upstream,
      { cause: error },
    );
  }
  const code = codeOf(error);
  const [kind, reason] = classify(code);
  return failure(`${asked}: ${reason} (${code})`, kind, reason, upstream);
}

/** A failure as the operator reads it: with the addresses that DNS gave, which clients are not told. */
export function forOperators({ message, cause }: UpstreamFailure): string {
  const addresses = cause instanceof AddressRefused ? cause.addresses : [];
  return addresses.length === 0 ? message : `${message}: ${addresses.slice(0, 8).join(', ')}`;
}

/** Whether a breaker counts it: connect, timeout and 5xx failures; not 4xx, 429 and bad bytes. */
export function breaksUpstream(failed: UpstreamFailure): boolean {
  if (failed.reason === 'breakerOpen') return false;
  return failed.kind === 'network' || failed.kind === 'timeout' || failed.kind === 'serverError';
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  if (typeof code === 'string') return code;
  return error instanceof Error && error.name === 'HTTPParserError' ? 'HPE_UNKNOWN' : 'UNKNOWN';
}

const codes: Readonly<Record<string, readonly [FailureKind, FailureReason]>> = {
  UND_ERR_HEADERS_OVERFLOW: ['invalid', 'headersTooLarge'],
  HPE_HEADER_OVERFLOW: ['invalid', 'headersTooLarge'],
  HPE_INVALID_EOF_STATE: ['network', 'reset'],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['invalid', 'wrongLength'],
  UND_ERR_CONNECT_TIMEOUT: ['timeout', 'connectTimeout'],
  ETIMEDOUT: ['timeout', 'connectTimeout'],
  ENOTFOUND: ['network', 'dns'],
  EAI_AGAIN: ['network', 'dns'],
  EAI_FAIL: ['network', 'dns'],
  EAI_NODATA: ['network', 'dns'],
  ECONNREFUSED: ['network', 'connect'],
  EHOSTUNREACH: ['network', 'connect'],
  ENETUNREACH: ['network', 'connect'],
  EADDRNOTAVAIL: ['network', 'connect'],
  EMFILE: ['network', 'connect'],
  UND_ERR_ABORTED: ['network', 'connect'],
  ECONNRESET: ['network', 'reset'],
  EPIPE: ['network', 'reset'],
  UND_ERR_SOCKET: ['network', 'reset'],
  EPROTO: ['network', 'tls'],
};

function classify(code: string): readonly [FailureKind, FailureReason] {
  const known = codes[code];
  if (known !== undefined) return known;
  if (code.startsWith('HPE_')) return ['invalid', 'badHeader'];
  if (
    /^(?:ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/.test(
      code,
    )
  ) {
    return ['network', 'tls'];
  }
  return ['network', 'connect'];
}
