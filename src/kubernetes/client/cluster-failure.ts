/** `config`: the kubeconfig or the command line is wrong; `credentials`: who asks is not known; `forbidden`: may not; `list`: one list can't be read, others may; `unreachable`: no answer, or one that is none. */
export type ClusterFailureKind = 'config' | 'credentials' | 'forbidden' | 'list' | 'unreachable';

export interface ClusterFailureNote {
  readonly kind: ClusterFailureKind;
  /** What to do about it. */
  readonly hint: string;
  /** Why, where the message does not say it. */
  readonly because?: string;
  readonly cause?: unknown;
}

/** A cluster that can't be asked. The message names file, context and server where they are known, and never a credential. */
export class ClusterFailure extends Error {
  override readonly name = 'ClusterFailure';
  readonly kind: ClusterFailureKind;
  readonly hint: string;
  readonly because: string | undefined;

  constructor(message: string, { kind, hint, because, cause }: ClusterFailureNote) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.hint = hint;
    this.because = because;
  }
}
