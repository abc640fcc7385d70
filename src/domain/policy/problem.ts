/** What is wrong with a policy: where, what, and what to do. */
export interface PolicyProblem {
  /** `Statement[2].Condition.StringEquals`; empty for the text as a whole. */
  readonly field: string;
  /** The value as it was written, shortened; empty where there is none. */
  readonly value: string;
  readonly what: string;
  readonly fix: string;
}

/** Collects problems; after twenty it has heard enough. */
export type Report = (problem: PolicyProblem) => void;

const problemsMax = 20;

export function reportTo(list: PolicyProblem[]): Report {
  return (problem) => {
    if (list.length < problemsMax) list.push(problem);
  };
}

/** `Statement[0].Effect "allow": is neither Allow nor Deny; write Allow`. */
export function sentenceOf(problem: PolicyProblem): string {
  const where = problem.field === '' ? 'the policy' : problem.field;
  const value = problem.value === '' ? '' : ` ${JSON.stringify(problem.value)}`;
  return `${where}${value} ${problem.what}; ${problem.fix}`;
}

/** A value for a message: one line, at most so long. */
export function shortened(value: unknown, charactersMax = 80): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  const line = text.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
  return line.length > charactersMax ? `${line.slice(0, charactersMax).toWellFormed()}…` : line;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An object's own key; `__proto__` and its like are never found by accident. */
export function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
