/** Why a chart could not be rendered, or what was made of it is not what it should be. */
export class ChartFailure extends Error {
  override readonly name = 'ChartFailure';
  /** `helm` where the program itself is missing or does not end; `chart` where it refuses. */
  readonly kind: 'helm' | 'chart';
  /** What the program printed, where that says more. */
  readonly because: string | undefined;
  /** What to do about it. */
  readonly hint: string;

  constructor(
    message: string,
    note: {
      readonly kind: 'helm' | 'chart';
      readonly because?: string;
      readonly hint: string;
      readonly cause?: unknown;
    },
  ) {
    super(message, note.cause === undefined ? undefined : { cause: note.cause });
    this.kind = note.kind;
    this.because = note.because;
    this.hint = note.hint;
  }
}
