import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '../support/samples/signed-requests.ts';
import type { KeyPair } from './administrator.ts';
import type { System } from './systems/system.ts';

/** A call of the ECR API as it goes over the wire. */
export interface SignedCall {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Signed by AWS's own package for JavaScript; good for a quarter of an hour. */
export async function signEcrCall(
  { host, port }: Pick<System, 'host' | 'port'>,
  credentials: KeyPair,
  operation: string,
  input: object,
): Promise<SignedCall> {
  const signer = new SignatureV4({
    credentials,
    region: 'us-east-1',
    service: 'ecr',
    sha256: Sha256,
  });
  const body = JSON.stringify(input);
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: 'http:',
    hostname: host,
    path: '/',
    headers: {
      host: `${host}:${port}`,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AmazonEC2ContainerRegistry_V20150921.${operation}`,
    },
    body,
  });
  return { headers, body };
}

/** The answer of a call that succeeds. */
export async function callEcr(
  system: Pick<System, 'host' | 'port'>,
  credentials: KeyPair,
  operation: string,
  input: object,
): Promise<Readonly<Record<string, unknown>>> {
  const { headers, body } = await signEcrCall(system, credentials, operation, input);
  const response = await fetch(`http://${system.host}:${system.port}/`, {
    method: 'POST',
    headers,
    body,
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${operation} answered ${response.status}: ${text}`);
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
