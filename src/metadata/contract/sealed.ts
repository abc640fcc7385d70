/** What is kept sealed by the server's keys: secrets of access keys, values of secrets. */
export type SealedKind = 'accessKeys' | 'secretValues';

export interface SealedRow {
  /** What finds it, and its place in the order of its kind: an access key's id; registry, name and version. */
  readonly id: readonly string[];
  /** Of a secret, six characters that its owner's name has besides. */
  readonly suffix: string | undefined;
  readonly sealed: string;
}

/** Everything that is sealed, for whoever seals it anew. The texts say by which key: `v1.<key>.…`. */
export interface SealedMetadata {
  /** How many of a kind are sealed by a key. */
  countSealed(): Promise<
    readonly { readonly kind: SealedKind; readonly key: string; readonly count: number }[]
  >;
  /** Those after a row that any other key sealed, in order. */
  listSealed(
    kind: SealedKind,
    page: {
      readonly notBy: string;
      readonly after: readonly string[] | undefined;
      readonly limit: number;
    },
  ): Promise<readonly SealedRow[]>;
  /** Puts another text in the place of each that is still what it was; answers how many were. */
  reseal(input: {
    readonly kind: SealedKind;
    readonly rows: readonly {
      readonly id: readonly string[];
      readonly before: string;
      readonly after: string;
    }[];
  }): Promise<number>;
}
