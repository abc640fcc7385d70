/** One row: where in a kind's objects images stand. Paths: `[]` is each item of a list, `*` each value of a map. */
export interface SpecialFields {
  /** The API group, with those below it; absent: any. */
  readonly group?: string;
  /** A kind, or how it ends after `*`. */
  readonly kinds: readonly string[];
  /** Whole references. */
  readonly images?: readonly string[];
  /** Names of places that hold images: a host, or a host and a path. */
  readonly prefixes?: readonly string[];
  /** OCI artifacts that no node runs. */
  readonly artifacts?: readonly string[];
  /** Maps of values as charts have them. */
  readonly values?: readonly string[];
  /** Texts that hold such values as YAML. */
  readonly valuesTexts?: readonly string[];
  /** Lists of `name` and `value`, each one value by its dotted name. */
  readonly parameters?: readonly string[];
  /** Entries as kustomize's `images:` has them. */
  readonly kustomizeImages?: readonly string[];
  /** Said where a field of this row is changed. */
  readonly note?: string;
  /** What says that the field holds an image. */
  readonly source: string;
  /** When the row was written down. */
  readonly date: string;
}
