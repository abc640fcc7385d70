import type { PullRule, PullTarget } from './pull-rule.ts';

/** The rules in force, asked by path or by host; the one place that chooses a rule (design.md §4). */
export interface RuleSet {
  readonly rules: readonly PullRule[];
  /** For a name of ours, `docker.io/nginx`: longest prefix, `ROOT` last, aliases applied; `undefined`: no rule leads there (the caller may still hold content of a removed rule under the canonical name). */
  byPath(name: string): PullTarget | undefined;
  /** For a name at a host (`ns`, the host of a pulled image): a closed world; `undefined` for an unknown host, never ROOT. */
  byHost(host: string, name: string): PullTarget | undefined;
}
