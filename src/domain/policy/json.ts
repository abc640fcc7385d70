import { type PolicyProblem, shortened } from './problem.ts';

/** The longest text of a policy, as in ECR; white space counts. */
export const policyCharactersMax = 10_240;

/** A policy's own nesting is 6: policy, statements, statement, Condition, operator, values. */
const depthMax = 8;

/** The value of a policy's text, or why it has none. JSON.parse keeps the last of two equal keys; here they are a problem. */
export function readPolicyJson(
  text: string,
): { readonly value: unknown } | { readonly problem: PolicyProblem } {
  if (text.length > policyCharactersMax) {
    return wrong(
      `has ${text.length} characters`,
      `${policyCharactersMax} at most; join statements, or use wildcards`,
    );
  }
  if (!text.isWellFormed()) return wrong('holds half a character', 'send it as UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    return wrong(`is not JSON (${shortened(why, 120)})`, 'check commas, quotes and braces');
  }
  const problem = scan(text);
  return problem === undefined ? { value } : { problem };
}

function wrong(what: string, fix: string): { readonly problem: PolicyProblem } {
  return { problem: { field: '', value: '', what, fix } };
}

/** An object or a list whose end is not reached yet. */
interface Open {
  /** The keys seen; absent in a list. */
  readonly keys: Set<string> | undefined;
  key: string;
  index: number;
}

/** Strings, and what opens, parts and closes; numbers and words are passed over. */
const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

/** Goes once through valid JSON, looking for what JSON.parse lets pass. */
function scan(text: string): PolicyProblem | undefined {
  const open: Open[] = [];
  let key: string | undefined;
  for (const [word] of text.matchAll(token)) {
    const inside = open.at(-1);
    if (word === '{' || word === '[') {
      if (open.length === depthMax)
        return problemAt(open, '', 'is nested too deep', `a policy has at most ${depthMax} levels`);
      open.push({ keys: word === '{' ? new Set() : undefined, key: '', index: 0 });
    } else if (word === '}' || word === ']') {
      open.pop();
    } else if (word === ',' && inside !== undefined) {
      inside.index += 1;
    } else if (word === ':' && inside?.keys !== undefined && key !== undefined) {
      if (inside.keys.has(key))
        return problemAt(open, key, 'has this key twice', 'keep one of the two');
      inside.keys.add(key);
      inside.key = key;
    } else if (word.startsWith('"')) {
      key = JSON.parse(word) as string;
      if (!key.isWellFormed() || /\p{Cc}/u.test(key))
        return problemAt(open, key, 'holds a control character or half a pair', 'remove it');
    }
  }
  return undefined;
}

function problemAt(open: readonly Open[], value: string, what: string, fix: string): PolicyProblem {
  let field = '';
  for (const { keys, key, index } of open.slice(0, -1)) {
    const step =
      keys === undefined ? `[${index}]` : `${field === '' ? '' : '.'}${shortened(key, 40)}`;
    field += step;
  }
  return { field, value: shortened(value), what, fix };
}
