/** The administrator's pair, as `dataDir/credentials` holds it. */
export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Reads the `default` profile of an AWS shared-credentials file; `undefined` where it has no pair. */
export function parseCredentialsFile(text: string): KeyPair | undefined {
  const found = new Map<string, string>();
  let profile = '';
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\s*\[([^\]]+)\]\s*$/.exec(line);
    if (heading !== null) {
      profile = heading[1]?.trim() ?? '';
      continue;
    }
    const entry = /^\s*([A-Za-z_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (entry !== null && profile === 'default') found.set(entry[1] ?? '', entry[2] ?? '');
  }
  const accessKeyId = found.get('aws_access_key_id');
  const secretAccessKey = found.get('aws_secret_access_key');
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey };
}

/** The pair as an `Authorization` header. */
export function basicOf(pair: KeyPair): string {
  return `Basic ${Buffer.from(`${pair.accessKeyId}:${pair.secretAccessKey}`).toString('base64')}`;
}
