/** One thing wrong with the configuration, and where. */
export interface ConfigProblem {
  /** What is wrong with which value, and the fix. Never a secret. */
  readonly message: string;
  /** `cache.parallelAbove`, `rules[0].upstream`; empty where it is the text itself. */
  readonly key: string;
  /** As the operator wrote it. Absent where an environment variable is at fault. */
  readonly file?: string;
  readonly environment?: string;
  /** From 1. */
  readonly line?: number;
  readonly column?: number;
}

/** The most problems that are told at once. */
export const problemsMax = 20;

/** The configuration can't be used; all of its problems together, up to `problemsMax`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const told = problems.slice(0, problemsMax);
    const more = problems.length - told.length;
    const lines = told.map((problem) => formatProblem(problem));
    super([...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n'));
    this.problems = told;
  }
}

/** `breakwater.yaml:3:10: cache.pieceSize: "8" is not a size; write …`. */
export function formatProblem(problem: ConfigProblem): string {
  const place = [problem.file ?? problem.environment, problem.line, problem.column].filter(
    (part) => part !== undefined,
  );
  return [place.join(':'), problem.key, problem.message].filter((part) => part !== '').join(': ');
}

/** `rules[0].onFailure.denied`. */
export function formatKey(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number'
        ? `${text}[${part}]`
        : `${text}${text === '' ? '' : '.'}${String(part)}`,
    '',
  );
}
