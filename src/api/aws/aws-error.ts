/** An error in the words of an AWS service, for rows whose clients know it by its name. */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  /** As SDKs know it: `RepositoryNotFoundException`. */
  readonly code: string;
  /** 400 unless it is said. */
  readonly status: number;
  /** What the error's shape has beside its message. */
  readonly members: Readonly<Record<string, unknown>>;
  readonly retryAfterMs: number | undefined;
  /** Why, for the operator's log alone. */
  readonly because: string | undefined;

  constructor(code: string, message: string, options: AwsErrorOptions = {}) {
    super(message);
    this.code = code;
    this.status = options.status ?? 400;
    this.members = options.members ?? {};
    this.retryAfterMs = options.retryAfterMs;
    this.because = options.because;
  }
}

export interface AwsErrorOptions {
  readonly status?: number | undefined;
  readonly members?: Readonly<Record<string, unknown>>;
  readonly retryAfterMs?: number | undefined;
  readonly because?: string | undefined;
}
