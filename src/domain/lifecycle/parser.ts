import { jsonErrorPlace } from '../json-error-place.ts';
import { RegistryError } from '../errors.ts';
import { findJsonProblem } from '../json-structure.ts';
import { isObject, own } from '../json.ts';
import type { LifecyclePolicy, LifecycleProblem, LifecycleRule } from './policy.ts';
import { lifecycleCharactersMax, lifecycleRulesMax } from './policy.ts';
import { readRule } from './rule-reader.ts';
import type { GrammarOptions } from './rule-reader.ts';
import { readArray, readObject, reportTo } from './schema-words.ts';
import type { Report } from './schema-words.ts';

/** A policy's own nesting is 5: policy, rules, rule, selection, list of tags. */
const depthMax = 8;

/**
 * Reads a policy's text (the ECR user guide, "Lifecycle policy properties"). Throws `requestInvalid`: its message is the first problem
 * in ECR's words, its detail names the part and the fix, and all of them as `errors`.
 */
export function parseLifecyclePolicy(text: string, options: GrammarOptions): LifecyclePolicy {
  const problems: LifecycleProblem[] = [];
  const policy = readPolicy(text, options, reportTo(problems));
  const first = problems[0];
  if (first === undefined) return policy;
  const errors = problems.map((each) => ({ field: each.field, message: sentenceOf(each) }));
  const { field, fix } = first;
  throw new RegistryError(
    'requestInvalid',
    `Lifecycle policy validation failure: ${sentenceOf(first)}`,
    { kind: 'lifecyclePolicyInvalid', detail: { field, fix, errors } },
  );
}

/** What is wrong with a policy's text, at most twenty problems; none where `parseLifecyclePolicy` takes it. */
export function lifecycleProblems(
  text: string,
  options: GrammarOptions,
): readonly LifecycleProblem[] {
  const problems: LifecycleProblem[] = [];
  readPolicy(text, options, reportTo(problems));
  return problems;
}

function sentenceOf({ what, field, fix }: LifecycleProblem): string {
  const said = what.replace(/\.$/, '');
  return field === '' ? `${said}: ${fix}` : `${said} (${field}: ${fix})`;
}

/** What it returns counts only where nothing was reported. */
function readPolicy(text: string, options: GrammarOptions, report: Report): LifecyclePolicy {
  const root = readJson(text, report);
  const policy =
    root === undefined
      ? undefined
      : readObject(root, '', { required: ['rules'], optional: [] }, report);
  const bounds = { least: 1, most: lifecycleRulesMax };
  const listed = policy && readArray(own(policy, 'rules'), 'rules', bounds, report);
  const read = (listed ?? []).flatMap((rule, index) => {
    const field = `rules[${index}]`;
    const one = readRule(rule, field, options, report);
    return one === undefined ? [] : [{ field, rule: one }];
  });
  const rules = read.toSorted((one, other) => one.rule.priority - other.rule.priority);
  reportPriorities(rules, report);
  for (const storageClass of ['standard', 'archive'] as const)
    reportClass(
      rules.filter(({ rule }) => rule.storageClass === storageClass),
      storageClass,
      report,
    );
  return { rules: rules.map(({ rule }) => rule) };
}

function readJson(text: string, report: Report): unknown {
  const unmapped = 'Could not map policyString into LifecyclePolicy.';
  if (text.length > lifecycleCharactersMax) {
    const what = `Member must have length less than or equal to ${lifecycleCharactersMax}`;
    report('', what, `the text has ${text.length} characters`);
    return undefined;
  }
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    const where = jsonErrorPlace(error);
    report('', unmapped, `the text is not JSON${where}; check commas, quotes and braces`);
    return undefined;
  }
  const found = findJsonProblem(text, depthMax);
  if (found?.kind === 'duplicateKey')
    report('', unmapped, `"${found.what}" stands twice in one object; keep one of the two`);
  else if (found !== undefined)
    report('', unmapped, `the text is nested deeper than ${found.what} levels`);
  else if (!isObject(root)) report('', unmapped, 'begin with {"rules": [');
  else return root;
  return undefined;
}

interface Placed {
  readonly field: string;
  readonly rule: LifecycleRule;
}

function reportPriorities(rules: readonly Placed[], report: Report): void {
  for (const [index, { field, rule }] of rules.entries()) {
    if (rules[index - 1]?.rule.priority !== rule.priority) continue;
    const what = `rulePriority must be unique across rules; ${rule.priority} is used more than once.`;
    report(`${field}.rulePriority`, what, 'give each rule a number of its own');
  }
}

/** What holds among the rules of one storage class, by ascending priority. */
function reportClass(rules: readonly Placed[], storageClass: string, report: Report): void {
  const untagged = rules.filter(({ rule }) => rule.tags.status === 'untagged');
  for (const { field } of untagged.slice(1)) {
    const what = 'Only one rule can select Untagged images per storage class.';
    report(`${field}.selection`, what, `keep one such rule for ${storageClass}`);
  }
  for (const { field } of rules.slice(0, -1).filter(({ rule }) => rule.tags.status === 'any')) {
    const what = 'Rule for tagStatus=ANY must have the lowest priority per storage class.';
    report(`${field}.rulePriority`, what, 'give it the highest rulePriority');
  }
  const firstWith = new Map<string, string>();
  for (const { field, rule } of rules) {
    if (rule.tags.status !== 'tagged' || rule.tags.kind !== 'prefix') continue;
    for (const prefix of rule.tags.entries) {
      const first = firstWith.get(prefix);
      if (first === undefined) firstWith.set(prefix, field);
      else {
        const what = 'Tag prefixes must be unique across rules per storage class.';
        const fix = `"${prefix.slice(0, 40)}" stands in ${first} too; keep one of the two`;
        report(`${field}.selection.tagPrefixList`, what, fix);
      }
    }
  }
}
