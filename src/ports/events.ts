import type { Digest } from '../domain/names/digest.ts';
import type { FailureKind, FailureReason } from '../domain/upstream-failure.ts';

/** What happens, emitted once; telemetry makes metrics, logs and pull records of it. Never awaited, never throws. */
export type Event =
  | {
      readonly type: 'upstreamRequest';
      readonly upstream: string;
      readonly kind: UpstreamRequestKind;
      readonly method: string;
      readonly status: number | undefined;
      readonly durationMs: number;
    }
  | { readonly type: 'upstreamReceived'; readonly upstream: string; readonly bytes: number }
  | {
      readonly type: 'upstreamFailed';
      readonly upstream: string;
      readonly kind: FailureKind;
      readonly reason: FailureReason;
      readonly message: string;
    }
  | {
      readonly type: 'throttled';
      readonly upstream: string;
      readonly reason: 'rateLimited' | 'held' | 'connections' | 'downloads';
    }
  | {
      readonly type: 'breaker';
      readonly upstream: string;
      readonly state: 'closed' | 'open' | 'half-open';
    }
  | {
      readonly type: 'rateLimit';
      readonly upstream: string;
      readonly account: string;
      readonly limit: number;
      readonly remaining: number;
      readonly resetAt: number | undefined;
    }
  | { readonly type: 'authFailed'; readonly upstream: string }
  | {
      readonly type: 'downloadStarted';
      readonly rule: string;
      readonly digest: Digest;
      readonly upstream: string;
    }
  | {
      readonly type: 'downloadResumed';
      readonly upstream: string;
      readonly digest: Digest;
      readonly at: number;
    }
  | {
      readonly type: 'downloadEnded';
      readonly rule: string;
      readonly digest: Digest;
      readonly bytes: number;
      readonly durationMs: number;
      readonly error: string | undefined;
    }
  | { readonly type: 'digestMismatch'; readonly upstream: string; readonly digest: Digest }
  | {
      readonly type: 'imageArrived';
      readonly image: string;
      readonly digest: Digest;
      readonly bytes: number;
      readonly durationMs: number;
    }
  /** A blob or a manifest was pushed, and is on the disk. */
  | {
      readonly type: 'pushed';
      readonly kind: 'blob' | 'manifest';
      readonly repository: string;
      readonly digest: Digest;
      readonly bytes: number;
      readonly durationMs: number;
    }
  | {
      readonly type: 'deleted';
      readonly kind: 'blob' | 'manifest' | 'tag' | 'repository';
      readonly repository: string;
      /** Absent for a repository. */
      readonly digest: Digest | undefined;
    }
  | { readonly type: 'storageFailed'; readonly operation: string; readonly message: string }
  /** Something was not kept, or not taken, since too little of the volume would stay free. */
  | {
      readonly type: 'spaceLow';
      readonly freeBytes: number;
      /** What `cache.minFree` keeps free. */
      readonly minFreeBytes: number;
      readonly wantedBytes: number;
    };

export type UpstreamRequestKind = 'manifest' | 'blob' | 'tags' | 'referrers' | 'token' | 'ping';

export interface Events {
  emit(event: Event): void;
}
