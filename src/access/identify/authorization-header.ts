/** Characters; a longer Authorization is not looked at. */
export const authorizationCharactersMax = 16_384;

export type ShownCredentials =
  | { readonly scheme: 'basic'; readonly username: string; readonly password: string }
  | { readonly scheme: 'bearer'; readonly token: string };

/** What an Authorization header holds (RFC 7617, RFC 6750); `undefined` for anything else. */
export function parseAuthorization(header: string): ShownCredentials | undefined {
  if (header.length > authorizationCharactersMax) return undefined;
  const token = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(header)?.[1];
  if (token !== undefined) return { scheme: 'bearer', token };
  const encoded = /^basic +([A-Za-z0-9+/_-]*={0,2}) *$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 0) return undefined;
  return { scheme: 'basic', username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}
