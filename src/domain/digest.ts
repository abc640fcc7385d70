declare const brand: unique symbol;

/** A content digest in canonical form, `sha256:<64 hex>` or `sha512:<128 hex>`. Made only by `parseDigest` and `digestOf…`. */
export type Digest = `${DigestAlgorithm}:${string}` & { readonly [brand]: 'Digest' };

export type DigestAlgorithm = 'sha256' | 'sha512';

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
