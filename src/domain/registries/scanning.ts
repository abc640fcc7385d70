import { RegistryError } from '../errors.ts';
import { matchesGlob } from '../wildcard.ts';

export type ScanFrequency = 'SCAN_ON_PUSH' | 'CONTINUOUS_SCAN' | 'MANUAL';

/** Which repositories of a registry are to be scanned, and when. */
export interface ScanningConfiguration {
  readonly type: 'BASIC' | 'ENHANCED';
  readonly rules: readonly ScanningRule[];
}

export interface ScanningRule {
  readonly frequency: ScanFrequency;
  /** A name matches that holds the text; with a `*`, one that is the text. */
  readonly filters: readonly string[];
}

export const defaultScanning: ScanningConfiguration = { type: 'BASIC', rules: [] };

/** Throws `requestInvalid` for rules that do not go with their type, or with each other. */
export function requireScanning({ type, rules }: ScanningConfiguration): void {
  const frequencies = rules.map(({ frequency }) => frequency);
  if (frequencies.includes('MANUAL'))
    throw refused('a rule scans on push or continuously: MANUAL is what no rule names');
  if (type === 'BASIC' && frequencies.includes('CONTINUOUS_SCAN'))
    throw refused('BASIC scans on push alone');
  if (new Set(frequencies).size < frequencies.length)
    throw refused('each frequency has one rule at most');
}

function refused(why: string): RegistryError {
  return new RegistryError('requestInvalid', `rules: ${why}`, { detail: { field: 'rules' } });
}

/** What a configuration means for one repository. */
export interface AppliedScanning {
  readonly frequency: ScanFrequency;
  /** Those that name the repository, of the rule that decides. */
  readonly filters: readonly string[];
}

/** `scanOnPush`: the repository's own setting, which counts where no rule names it and the type is BASIC. */
export function scanningOf(
  { type, rules }: ScanningConfiguration,
  repository: string,
  scanOnPush: boolean,
): AppliedScanning {
  if (type === 'ENHANCED' && rules.length === 0)
    return { frequency: 'CONTINUOUS_SCAN', filters: [] };
  const matching = rules
    .map(({ frequency, filters }) => ({
      frequency,
      filters: filters.filter((filter) => isNamedBy(filter, repository)),
    }))
    .filter(({ filters }) => filters.length > 0);
  const chosen =
    matching.find(({ frequency }) => frequency === 'CONTINUOUS_SCAN') ?? matching.at(0);
  if (chosen !== undefined) return chosen;
  return { frequency: type === 'BASIC' && scanOnPush ? 'SCAN_ON_PUSH' : 'MANUAL', filters: [] };
}

function isNamedBy(filter: string, repository: string): boolean {
  return filter.includes('*') ? matchesGlob(filter, repository) : repository.includes(filter);
}
