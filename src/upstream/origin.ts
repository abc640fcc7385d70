import type { PullRule, UpstreamUrl } from '../domain/rules/pull-rule.ts';

/** Which of a rule's URLs a call is for. */
export interface Origin {
  readonly rule: PullRule;
  readonly url: UpstreamUrl;
}
