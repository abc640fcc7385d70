import type { FailureKind } from '../upstream-failure.ts';
import { namePatternCharactersMax } from './name-pattern.ts';
import type { FailureAction, PullRule } from './pull-rule.ts';
import { invalidRule } from './rule-error.ts';

/** What may be set for a rule made through an API beside where it leads; what is absent is the default. */
export interface RuleSettings {
  readonly anonymousPull?: boolean;
  readonly freshForMs?: number;
  readonly staleBudgetMs?: number;
  readonly onFailure?: Partial<PullRule['onFailure']>;
  readonly platforms?: PullRule['platforms'];
  readonly push?: boolean;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

/** Settings that are to be another; `null`: the default again. */
export type RuleSettingsChange = {
  readonly [Name in keyof RuleSettings]?: RuleSettings[Name] | null;
};

/** The settings with the change made. */
export function withSettings(settings: RuleSettings, change: RuleSettingsChange): RuleSettings {
  const all = Object.entries({ ...settings, ...change });
  return Object.fromEntries(all.filter(([, value]) => value !== null && value !== undefined));
}

export const freshForMsMax: number = 365 * 24 * 3_600_000;
export const staleBudgetMsMax = 60_000;
export const patternsMax = 1000;
export const platformsMax = 64;

/** Characters of all patterns of a rule together: rules are kept in memory. */
const patternCharactersMax = 8192;

const failureKinds: readonly Exclude<FailureKind, 'invalid'>[] = [
  'notFound',
  'denied',
  'rateLimited',
  'serverError',
  'timeout',
  'network',
];
const failureActions: readonly FailureAction[] = ['keep', 'stop'];

/** `os/architecture` or `os/architecture/variant`. */
export function isPlatform(text: string): boolean {
  return text.length <= 128 && /^[a-z0-9_.-]+(?:\/[a-z0-9_.-]+){1,2}$/.test(text);
}

/** A pattern of `allow` and `deny`. */
export function isNamePattern(text: string): boolean {
  return (
    text.length <= namePatternCharactersMax && /^[A-Za-z0-9*?][A-Za-z0-9._/*?:@-]*$/.test(text)
  );
}

/** Throws `RegistryError` for the first value that is out of its bounds. */
export function checkRuleSettings(settings: RuleSettings): void {
  const { freshForMs, staleBudgetMs, onFailure = {}, platforms, allow = [], deny = [] } = settings;
  checkTime('freshForMs', freshForMs, freshForMsMax);
  checkTime('staleBudgetMs', staleBudgetMs, staleBudgetMsMax);
  for (const [kind, action] of Object.entries(onFailure)) {
    if (!failureKinds.some((known) => known === kind))
      throw invalidRule('onFailure', kind, `the keys are ${failureKinds.join(', ')}`);
    if (!failureActions.includes(action))
      throw invalidRule(`onFailure.${kind}`, action, 'write keep or stop');
  }
  if (Array.isArray(platforms)) {
    const listed: readonly string[] = platforms;
    if (listed.length === 0 || listed.length > platformsMax || !listed.every(isPlatform))
      throw invalidRule(
        'platforms',
        listed.find((one) => !isPlatform(one)) ?? listed.length,
        `write none, requested, all, or 1 to ${platformsMax} such as linux/amd64`,
      );
  }
  for (const [field, patterns] of [
    ['allow', allow],
    ['deny', deny],
  ] as const) {
    const wrong = patterns.find((pattern) => !isNamePattern(pattern));
    if (wrong !== undefined)
      throw invalidRule(field, wrong, 'write patterns such as library/* or library/nginx:1.*');
    if (patterns.length > patternsMax)
      throw invalidRule(field, patterns.length, `at most ${patternsMax} patterns`);
  }
  const characters = [...allow, ...deny].reduce((sum, pattern) => sum + pattern.length, 0);
  if (characters > patternCharactersMax)
    throw invalidRule('allow, deny', characters, `at most ${patternCharactersMax} characters`);
}

function checkTime(field: string, ms: number | undefined, most: number): void {
  if (ms !== undefined && !(Number.isSafeInteger(ms) && ms >= 0 && ms <= most))
    throw invalidRule(field, ms, `write whole milliseconds from 0 to ${most}`);
}
