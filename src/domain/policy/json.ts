import { findJsonProblem } from '../json-structure.ts';
import type { JsonProblem } from '../json-structure.ts';
import { shortened } from './problem.ts';
import type { Report } from './problem.ts';

/** The longest text of a policy, as in ECR; white space counts. */
const policyCharactersMax = 10_240;

/** A policy's own nesting is 6: policy, statements, statement, Condition, operator, values. */
const depthMax = 8;

/**
 * The value of a policy's text; `undefined` where it has none, which was reported. JSON.parse keeps the last of two equal keys; here
 * they are a problem.
 */
export function readPolicyJson(text: string, report: Report): unknown {
  if (text.length > policyCharactersMax) {
    const fix = `${policyCharactersMax} at most; join statements, or use wildcards`;
    return report('', '', `has ${text.length} characters`, fix);
  }
  if (!text.isWellFormed()) return report('', '', 'holds half a character', 'send it as UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    const what = `is not JSON (${shortened(why, 120)})`;
    return report('', '', what, 'check commas, quotes and braces');
  }
  const problem = findJsonProblem(text, depthMax, { isFit });
  if (problem === undefined) return value;
  const shown = problem.kind === 'tooDeep' ? '' : problem.what;
  return report(fieldOf(problem), shown, ...advice[problem.kind]);
}

const advice: Readonly<Record<JsonProblem['kind'], readonly [what: string, fix: string]>> = {
  tooDeep: ['is nested too deep', `a policy has at most ${depthMax} levels`],
  duplicateKey: ['has this key twice', 'keep one of the two'],
  unfitText: ['holds a control character or half a pair', 'remove it'],
};

function isFit(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}/u.test(text);
}

function fieldOf({ within }: JsonProblem): string {
  return within
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${shortened(step, 40)}`))
    .join('')
    .replace(/^\./, '');
}
