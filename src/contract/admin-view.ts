import type { ExplainedLimiter } from './explanation.ts';
import type { PullRule } from '../domain/rules/pull-rule.ts';
import type { FailureKind } from '../domain/upstream-failure.ts';

/** A list as `/api/v1` answers it; `next` is the cursor of the following page, `null` at the end. */
export interface Listing<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

/** A rule as `/api/v1/rules` and `rules ls` show it: no secret, every URL in the order tried. */
export interface RuleView {
  readonly prefix: string;
  readonly origin: PullRule['origin'];
  /** Whose rule of the same prefix is in force instead of it. */
  readonly shadowedBy: PullRule['origin'] | null;
  readonly upstream: string;
  readonly mirrors: readonly string[];
  /** As Amazon ECR calls it; `null` for a registry that it does not know. */
  readonly upstreamRegistry: string | null;
  readonly upstreamPrefix: string;
  /** The credential's name or ARN, never what it holds. */
  readonly credential: string | null;
  /** ARN. */
  readonly role: string | null;
  readonly anonymousPull: boolean;
  readonly freshForSeconds: number;
  readonly staleBudgetMs: number;
  readonly onFailure: Readonly<Record<Exclude<FailureKind, 'invalid'>, 'keep' | 'stop'>>;
  readonly platforms: readonly string[];
  readonly push: boolean;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly state: UpstreamCondition;
  /** Why its upstream is not asked: its secret can't be had, or it leads where it may not. */
  readonly problem: string | null;
  /** Of a rule that was made through an API. */
  readonly createdAt: string | null;
  readonly updatedAt: string | null;
}

/** Whether a rule's upstream answers, and takes its credential. */
export interface RuleValidation {
  readonly prefix: string;
  readonly valid: boolean;
  readonly failure: string | null;
}

/** A rule that is gone. */
export interface DeletedRule {
  readonly prefix: string;
  /** Whose rule of the same prefix is in force now. */
  readonly restored: PullRule['origin'] | null;
}

/** In one word: `ok` was reached at last, `unknown` was never asked. */
export type UpstreamCondition = 'ok' | 'unknown' | 'failing' | 'breakerOpen' | 'rateLimited';

/** One URL of a rule, asked. */
export interface RuleVerification {
  readonly prefix: string;
  readonly url: string;
  readonly ok: boolean;
  readonly durationMs: number;
  readonly failure: {
    readonly kind: FailureKind;
    readonly reason: string;
    readonly message: string;
  } | null;
}

/** An upstream's state as `/api/v1/upstreams` shows it. */
export interface UpstreamView extends ExplainedLimiter {
  readonly state: UpstreamCondition;
  /** The prefixes of the rules that read from it. */
  readonly rules: readonly string[];
}

/** A pull record as `/api/v1/pulls` shows it. */
export interface PullView {
  readonly hour: string;
  readonly clientAddress: string;
  readonly ns: string;
  readonly image: string;
  readonly digest: string | null;
  readonly verdict: string;
  readonly count: number;
  readonly lastAt: string;
}

/** What `refresh` found. */
export interface Refreshment {
  readonly image: string;
  readonly repository: string;
  readonly tag: string;
  /** `null` where nothing was held. */
  readonly before: string | null;
  readonly after: string;
  readonly changed: boolean;
}

export interface VersionView {
  readonly version: string;
  readonly node: string;
}

/** An error as `/api/v1` answers it (RFC 9457); `code` is stable, `hint` says what to do. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly requestId: string;
  readonly hint?: string;
  /** Field by field, where the input was wrong. */
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
  /** The upstream's side of it, as `answerOf` put it. */
  readonly cause?: Readonly<Record<string, unknown>>;
}
