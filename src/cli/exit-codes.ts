/** What a command ends with; documented by `help exit-codes`. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  forbidden: 4,
  upstream: 5,
  conflict: 6,
  partial: 7,
  findings: 10,
  interrupted: 130,
} as const;

export type ExitName = keyof typeof exitCodes;

const meanings: Readonly<Record<ExitName, string>> = {
  ok: 'done',
  failure: 'something failed that none of the codes below names',
  usage: 'the command line or the configuration is wrong',
  notFound: 'the image, rule or other thing named is not there',
  forbidden: 'credentials are missing or wrong, or do not allow it',
  upstream: 'the server or an upstream registry cannot be reached, or refuses',
  conflict: 'the state of things does not allow it',
  partial: 'some of several things failed',
  findings: 'something was found, or would be another; only with --exit-code or --check',
  interrupted: 'interrupted with Ctrl-C',
};

/** The text of `help exit-codes`. */
export function describeExitCodes(): string {
  const lines = Object.entries(exitCodes).map(
    ([name, code]) => `  ${String(code).padEnd(5)}${meanings[name as ExitName]}`,
  );
  return ['Exit codes, the same for every command:', '', ...lines, ''].join('\n');
}
