import { createHmac, hash } from 'node:crypto';

/** Of AWS, or of whoever speaks its protocols. */
export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface AwsCall {
  readonly url: URL;
  /** By their names in lower case; each is signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly region: string;
  readonly service: string;
}

/** The headers of a POST to `/` with its Signature Version 4; `now` in wall ms. */
export function signAwsCall(
  { url, headers, body, region, service }: AwsCall,
  { accessKeyId, secretAccessKey, sessionToken }: AwsKeys,
  now: number,
): Readonly<Record<string, string>> {
  const at = new Date(now).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const sent = {
    ...headers,
    'x-amz-date': at,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  };
  const signed = Object.entries({ ...sent, host: url.host }).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const names = signed.map(([name]) => name).join(';');
  const lines = signed.map(([name, value]) => `${name}:${value.trim()}\n`).join('');
  const canonical = ['POST', '/', '', lines, names, hash('sha256', body)].join('\n');
  const day = at.slice(0, 8);
  const scope = [day, region, service, 'aws4_request'];
  const text = ['AWS4-HMAC-SHA256', at, scope.join('/'), hash('sha256', canonical)].join('\n');
  const key = scope.reduce<Buffer>(
    (each, part) => createHmac('sha256', each).update(part).digest(),
    Buffer.from(`AWS4${secretAccessKey}`),
  );
  const signature = createHmac('sha256', key).update(text).digest('hex');
  const credential = `${accessKeyId}/${scope.join('/')}`;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}
