import { createCipheriv, createHash } from 'node:crypto';
import { join } from 'node:path';
import { credentialsOf } from '../support/processes/breakwater.ts';
import { digestOf } from '../support/samples/digest.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Secret } from './trespasser.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** What the administrator pushed to repositories that nobody else may read. */
export interface SecretKeeper {
  /** Acknowledged by a 201: it must be served to its owner whatever happens afterwards. */
  readonly secrets: readonly Secret[];
  /** Pushes one more; nothing where the server ended meanwhile. */
  push(): Promise<void>;
  /** Digests of those that their owner does not get back byte for byte. */
  missing(): Promise<readonly string[]>;
}

/** `folder` as the server was started with; its data has the administrator's pair. */
export async function createSecretKeeper(
  port: number,
  folder: string,
  secrets: Secret[],
  random: SeededRandom,
): Promise<SecretKeeper> {
  const { key, secret } = await credentialsOf({ dataDir: join(folder, 'data') });
  const authorization = `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`;
  const send = (
    method: string,
    path: string,
    body?: Buffer,
    type = 'application/octet-stream',
  ): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/v2/${path}`, {
      method,
      headers: { authorization, 'content-type': type },
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    });

  return {
    secrets,
    async push() {
      const bytes = noise(random.below(2 ** 30), 1000 + random.below(200_000));
      const digest = digestOf(bytes);
      const repository = `private/app${secrets.length}`;
      const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest, size: bytes.length };
      const layers = [{ ...config, mediaType: 'application/vnd.oci.image.layer.v1.tar' }];
      const manifest = { schemaVersion: 2, mediaType: manifestType, config, layers };
      try {
        const query = `blobs/uploads/?digest=${digest}`;
        const pushed = await send('POST', `${repository}/${query}`, bytes);
        if (pushed.status !== 201) return;
        const body = Buffer.from(JSON.stringify(manifest));
        const tagged = await send('PUT', `${repository}/manifests/v1`, body, manifestType);
        if (tagged.status === 201)
          secrets.push({ repository, bytes, digest, size: bytes.length, secret: true });
      } catch {
        // The kill came first.
      }
    },
    async missing() {
      const missing: string[] = [];
      for (const { repository, digest, bytes } of secrets) {
        const answer = await send('GET', `${repository}/blobs/${digest}`);
        const body = Buffer.from(await answer.arrayBuffer());
        const named = await send('HEAD', `${repository}/manifests/v1`);
        if (answer.status !== 200 || named.status !== 200 || !body.equals(bytes))
          missing.push(`${digest} of ${repository}: ${answer.status}, ${named.status}`);
      }
      return missing;
    },
  };
}

/** Bytes that follow from the seed and look like no others. */
function noise(seed: number, length: number): Buffer {
  const key = createHash('sha256').update(String(seed)).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}
