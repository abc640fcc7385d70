declare const brand: unique symbol;

export type Tag = string & { readonly [brand]: 'Tag' };

const pattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** `undefined` when the text is no tag (distribution-spec, "Pulling manifests"). */
export function parseTag(text: string): Tag | undefined {
  return pattern.test(text) ? (text as Tag) : undefined;
}
