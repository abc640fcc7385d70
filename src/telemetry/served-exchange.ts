import type { RegistryKey } from '../domain/names/registry.ts';
import type { Verdict } from '../domain/verdict.ts';

/** What telemetry reads of a finished exchange; the http side's `Served` is one. */
export interface ServedExchange {
  readonly request: {
    readonly id: string;
    readonly method: string;
    /** Raw, after the `?`. */
    readonly query: string;
    readonly headers: {
      readonly 'user-agent'?: string | undefined;
      readonly authorization?: string | undefined;
    };
    readonly clientAddress: string;
  };
  readonly reply: {
    readonly status: number;
    readonly note: {
      readonly route: string;
      readonly rule?: string;
      /** Absent: home. */
      readonly registry?: RegistryKey;
      readonly ns?: string;
      readonly repository?: string;
      readonly reference?: string;
      readonly digest?: string;
      readonly verdict?: Verdict;
      /** Why it was refused or failed. */
      readonly reason?: string;
    };
    /** Who asked, as the audit has it; absent for anonymous, unless it was refused something. */
    readonly principal?: string;
    /** The note is one that is told again and again, the same object each time. */
    readonly repeats?: boolean;
  };
  readonly bytes: number;
  readonly durationMs: number;
  readonly complete: boolean;
}
