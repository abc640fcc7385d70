export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** The repository of a path of a registry's API, empty for its base; `undefined` for any other path. */
export function repositoryIn(pathname: string): string | undefined {
  if (pathname.endsWith('/v2/') || pathname.endsWith('/v2')) return '';
  const found = /\/v2\/(?:(.+)\/(?:manifests|blobs|tags|referrers)\/[^/]+|[^/]+\/?)$/.exec(
    pathname,
  );
  return found === null ? undefined : (found[1] ?? '');
}

/** The `Referer` of a request to where a redirect led, as Go's client says it: some registries and stores ask for it. */
export function refererOf(from: URL, to: URL): string | undefined {
  if (from.protocol === 'https:' && to.protocol !== 'https:') return undefined;
  // Without user and password, and without the query, which may be a signature.
  return from.origin + from.pathname;
}
