import { jsonErrorPlace } from '../json-error-place.ts';
import { isObject, own } from '../json.ts';

const secretCharactersMax = 65_536;

export interface UpstreamLogin {
  readonly username: string;
  readonly accessToken: string;
}

/** Why a user name or a token cannot be shown to a registry, as the end of a sentence; `undefined`: it can. */
export function loginFieldProblem(field: keyof UpstreamLogin, text: string): string | undefined {
  if (text === '') return 'empty; write a value';
  if (text.length > secretCharactersMax) return `longer than ${secretCharactersMax} characters`;
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  if (/[\u0000-\u001F\u007F]/.test(text))
    return 'holding a line break or another control character; remove it';
  // RFC 7617 §2: it would read as another name.
  if (field === 'username' && text.includes(':'))
    return 'holding a colon, which no user name can; remove it';
  return undefined;
}

/**
 * The value of a secret as ECR's pull-through rules have it: JSON with `username` and `accessToken`. No problem holds a part of the
 * value.
 */
export function readUpstreamSecret(text: string): UpstreamLogin | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `the secret's value is no JSON${jsonErrorPlace(error)}: ${wanted}` };
  }
  if (!isObject(value)) return { problem: `the secret's value is no JSON object: ${wanted}` };
  const login: Record<keyof UpstreamLogin, string> = { username: '', accessToken: '' };
  for (const field of ['username', 'accessToken'] as const) {
    const found = own(value, field);
    if (typeof found !== 'string') return { problem: `the secret has no ${field}: ${wanted}` };
    const problem = loginFieldProblem(field, found);
    if (problem !== undefined) return { problem: `the secret's ${field} is ${problem}` };
    login[field] = found;
  }
  return login;
}

const wanted = 'write {"username": "…", "accessToken": "…"}';
