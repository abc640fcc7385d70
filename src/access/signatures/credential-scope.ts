import { SignatureRefused, incomplete, wrong } from './signature-refused.ts';

/** What a signing key is derived for. */
export interface CredentialScope {
  /** `yyyymmdd`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** When a request says that it was signed. */
export interface SignedTime {
  /** `yyyymmddThhmmssZ`, as it is signed. */
  readonly text: string;
  /** Wall time, ms. */
  readonly at: number;
}

/** Either way, as AWS has it. */
const skewMs = 15 * 60_000;
const timeForm = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
const terminator = 'aws4_request';
const credentialCharactersMax = 256;

/** `<key>/<date>/<region>/<service>/aws4_request`, whose date is that of the request. Throws `SignatureRefused`. */
export function readCredential(
  credential: string,
  time: SignedTime,
): { readonly accessKeyId: string; readonly scope: CredentialScope } {
  if (credential.length > credentialCharactersMax)
    throw incomplete(`Credential must have at most ${credentialCharactersMax} characters.`);
  const elements = credential.split('/');
  const [accessKeyId = '', date = '', region = '', service = '', end = ''] = elements;
  if (elements.length !== 5 || accessKeyId === '')
    throw incomplete(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got ${elements.length}.`,
    );
  if (end !== terminator)
    throw wrong(`Credential should be scoped with a valid terminator: '${terminator}'.`);
  if (!/^[a-z0-9-]{1,64}$/.test(service))
    throw wrong('Credential should be scoped to a correct service.');
  if (!/^[a-z0-9-]{2,25}$/.test(region))
    throw wrong('Credential should be scoped to a valid region.');
  const day = time.text.slice(0, 8);
  if (date !== day)
    throw wrong(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${printable(date)}' != '${day}', from '${time.text}'.`,
    );
  return { accessKeyId, scope: { date, region, service } };
}

/** As it is signed: `<date>/<region>/<service>/aws4_request`. */
export function scopeText({ date, region, service }: CredentialScope): string {
  return `${date}/${region}/${service}/${terminator}`;
}

/** Throws `SignatureRefused` for anything but ISO 8601's basic form in UTC. */
export function readTime(text: string | undefined): SignedTime {
  const [, year, month, day, hour, minute, second] = timeForm.exec(text ?? '') ?? [];
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (text === undefined || Number.isNaN(at))
    throw incomplete(
      text === undefined
        ? "A signed request requires existence of an 'X-Amz-Date'."
        : "Date must be in ISO-8601 'basic format', as 20150830T123600Z. See http://en.wikipedia.org/wiki/ISO_8601",
    );
  return { text, at };
}

/**
 * Throws `SignatureRefused` where it was signed too long ago, or will be. `expiresMs`: as a presigned URL says; it holds for 15
 * minutes at least, as AWS's STS has it: clients that hand one over as their proof of who they are say 60 s and use it longer.
 */
export function requireTimely(time: SignedTime, now: number, expiresMs: number = skewMs): void {
  const lastsMs = Math.max(skewMs, expiresMs);
  if (time.at > now + skewMs)
    throw new SignatureRefused(
      'early',
      `Signature not yet current: ${time.text} is still later than ${timeText(now + skewMs)} (${timeText(now)} + 15 min.)`,
    );
  if (time.at < now - lastsMs)
    throw new SignatureRefused(
      'late',
      `Signature expired: ${time.text} is now earlier than ${timeText(now - lastsMs)} (${timeText(now)} - ${Math.floor(lastsMs / 60_000)} min.)`,
    );
}

function timeText(at: number): string {
  return new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, '');
}

function printable(text: string): string {
  return text.slice(0, 32).replaceAll(/[^\w.-]/g, '?');
}
