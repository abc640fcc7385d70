/** What is wrong with a policy: where, what, and what to do. */
export interface PolicyProblem {
  /** `Statement[2].Condition.StringEquals`; empty for the text as a whole. */
  readonly field: string;
  /** The value as it was written, shortened; empty where there is none. */
  readonly value: string;
  readonly what: string;
  readonly fix: string;
}

/** Collects problems, the parts of one in their order; of the first twenty. */
export type Report = (field: string, value: unknown, what: string, fix: string) => undefined;

const problemsMax = 20;

export function reportTo(list: PolicyProblem[]): Report {
  return (field, value, what, fix) => {
    if (list.length < problemsMax) list.push({ field, value: shortened(value), what, fix });
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
