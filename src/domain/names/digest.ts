declare const brand: unique symbol;

/** A content digest in canonical form, `sha256:<64 hex>` or `sha512:<128 hex>`. Made only by `parseDigest` and `digestOf…`. */
export type Digest = `${DigestAlgorithm}:${string}` & { readonly [brand]: 'Digest' };

export const digestAlgorithms = ['sha256', 'sha512'] as const;

export type DigestAlgorithm = (typeof digestAlgorithms)[number];

const pattern = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;

/** `undefined` when the text is no digest of a registered algorithm (OCI image-spec descriptor.md, "Digests"). */
export function parseDigest(text: string): Digest | undefined {
  return pattern.test(text) ? (text as Digest) : undefined;
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

/** The hex part, lower case. */
export function hexOf(digest: Digest): string {
  return digest.slice(7);
}

/** Whether it is the digest of no bytes at all. */
export function isEmptyBlob(digest: Digest): boolean {
  return emptyBlobs.has(digest);
}

/** The size that somebody says a blob has, where it can be that: 0 is the empty blob's alone, which has no other. */
export function possibleSize(digest: Digest, said: number | undefined): number | undefined {
  if (isEmptyBlob(digest)) return 0;
  return said === 0 ? undefined : said;
}

const emptyBlobs: ReadonlySet<string> = new Set([
  'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e',
]);
