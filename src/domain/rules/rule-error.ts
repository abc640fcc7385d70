import { RegistryError } from '../errors.ts';
import type { ErrorCode, ErrorKind, ErrorOptionsOf } from '../errors.ts';

/** Why a change of a rule is refused. */
type RuleErrorKind = Extract<
  ErrorKind,
  | 'ruleExists'
  | 'ruleUnknown'
  | 'ruleOfFile'
  | 'tooManyRules'
  | 'upstreamUnsupported'
  | 'secretUnknown'
  | 'secretInaccessible'
  | 'secretUndecryptable'
>;

const codes: Readonly<Record<RuleErrorKind, ErrorCode>> = {
  ruleExists: 'conflict',
  ruleUnknown: 'nameUnknown',
  ruleOfFile: 'requestInvalid',
  tooManyRules: 'conflict',
  upstreamUnsupported: 'requestInvalid',
  secretUnknown: 'requestInvalid',
  secretInaccessible: 'requestInvalid',
  secretUndecryptable: 'requestInvalid',
};

/** A change of a rule that is refused, in words that hold for every protocol. */
export function ruleError(
  kind: RuleErrorKind,
  message: string,
  options: Omit<ErrorOptionsOf, 'kind'> = {},
): RegistryError {
  return new RegistryError(codes[kind], message, { ...options, kind });
}

/** A value that is not admitted: field, value and fix. */
export function invalidRule(field: string, value: unknown, fix: string): RegistryError {
  return new RegistryError('requestInvalid', `${field}: ${fix}`, {
    detail: { field, value: typeof value === 'string' ? value.slice(0, 255) : value },
  });
}
