import type { RegistryKey } from './names/registry.ts';
import type { Verdict } from './verdict.ts';

/** What the access log, the metrics and the pull records learn of a reply from its handler. */
export interface ReplyNote {
  /** Low cardinality: `manifest`, `blob`, `tags`, `referrers`, `base`, `api`, `health`, `metrics`, `none`, or an AWS service. */
  readonly route: string;
  /** Of an AWS API, by its name there. */
  readonly operation?: string;
  readonly rule?: string;
  /** The registry that was asked, where it is not the home registry. */
  readonly registry?: RegistryKey;
  readonly ns?: string;
  readonly repository?: string;
  /** The tag or digest as it was asked. */
  readonly reference?: string;
  readonly digest?: string;
  readonly verdict?: Verdict;
  /** Why it was refused or failed, for whoever runs the server. */
  readonly reason?: string;
}

/** A finished exchange, told once when the last byte went out or the socket closed. */
export interface Served {
  readonly request: {
    readonly id: string;
    readonly method: string;
    readonly query: string;
    readonly headers: {
      readonly 'user-agent'?: string | undefined;
      readonly authorization?: string | undefined;
    };
    readonly clientAddress: string;
  };
  readonly reply: {
    readonly status: number;
    readonly note: ReplyNote;
    /** Who asked, as the audit has it. */
    readonly principal?: string;
    /** The note is the same object at each such reply: what is made of it may be kept as long as it lives. */
    readonly repeats?: boolean;
  };
  /** Body bytes written. */
  readonly bytes: number;
  readonly durationMs: number;
  /** False when the client left or the body broke before its end. */
  readonly complete: boolean;
}
