import { basename } from 'node:path';
import { ChildFailure, runChild } from '../programs/bounded-child.ts';
import type { ChildCommand } from '../programs/bounded-child.ts';
import { ChartFailure } from './chart-failure.ts';

const errorCharactersMax = 4000;

export type HelmCommand = Omit<ChildCommand, 'errorCharactersMax' | 'interactive'>;

/** What helm, or a program like it, prints on stdout. Throws a `ChartFailure` where it is missing, fails, prints too much or does not end. */
export async function runHelm(child: HelmCommand, signal: AbortSignal): Promise<string> {
  try {
    return await runChild({ ...child, errorCharactersMax }, signal);
  } catch (error) {
    throw error instanceof ChildFailure ? asChartFailure(error, child) : error;
  }
}

function asChartFailure(failure: ChildFailure, { command, args }: HelmCommand): ChartFailure {
  const { reason, message, errors } = failure;
  if (reason === 'not started') return notStarted(command, failure);
  const because = errors.replaceAll(/^.*found symbolic link in path.*(?:\n|$)/gm, '').trim();
  return new ChartFailure(`${`${basename(command)} ${args[0] ?? ''}`.trimEnd()} ${message}`, {
    kind: reason === 'late' ? 'helm' : 'chart',
    hint: 'run helm template with the same chart and values to see it',
    ...(because !== '' && { because }),
  });
}

function notStarted(command: string, { isMissing, message, cause }: ChildFailure): ChartFailure {
  return new ChartFailure(isMissing ? `${command} is not there` : `${command} cannot be started`, {
    kind: 'helm',
    hint: isMissing
      ? `install Helm 3 or 4, or say where it is with --helm`
      : `check that ${command} may be run`,
    because: message,
    cause,
  });
}
