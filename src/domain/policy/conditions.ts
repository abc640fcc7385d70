import { nearest } from '../nearest.ts';
import type { PolicyCondition } from './policy.ts';
import { operators, parseBool } from './operators.ts';
import type { Operator } from './operators.ts';
import { neededKeys, parsePattern, variableProblem } from './pattern.ts';
import type { KeyValues } from './pattern.ts';

/** An operator's name in its parts: `ForAnyValue:StringLikeIfExists`. `operator` is absent for `Null`. */
interface ConditionOperator {
  readonly operator: Operator | undefined;
  readonly set: 'all' | 'any' | undefined;
  readonly ifExists: boolean;
}

/** A condition made ready to be asked often. */
export interface CompiledCondition {
  readonly holds: (values: KeyValues) => boolean;
  /** Keys whose absence would make a negation true by mistake; an Allow does not count without them. */
  readonly needs: readonly string[];
}

/** `undefined` for a name that is no operator's. */
export function parseOperator(name: string): ConditionOperator | undefined {
  if (name === 'Null') return { operator: undefined, set: undefined, ifExists: false };
  const [, prefix, base = '', suffix] =
    /^(ForAllValues:|ForAnyValue:)?(\w+?)(IfExists)?$/.exec(name) ?? [];
  const operator = operators.get(base);
  if (operator === undefined) return undefined;
  const set = prefix === undefined ? undefined : prefix === 'ForAllValues:' ? 'all' : 'any';
  return { operator, set, ifExists: suffix !== undefined };
}

/** What the writer of an unknown operator most likely meant, or all there are. */
export function operatorAdvice(name: string): string {
  const [, prefix = '', base = ''] =
    /^(?:(ForA(?:ll|ny)Values?):)?(.*?)(?:IfExists)?$/i.exec(name) ?? [];
  const known = ['Null', ...operators.keys()];
  const exact = known.find((each) => each.toLowerCase() === base.toLowerCase());
  const near = exact ?? nearest(base, known);
  if (near === 'Null')
    return 'write Null, which takes neither ForAllValues, ForAnyValue nor IfExists';
  if (near === undefined) return `the operators are ${known.join(', ')}`;
  const set = prefix === '' ? '' : /all/i.test(prefix) ? 'ForAllValues:' : 'ForAnyValue:';
  return `did you mean ${set}${near}${/IfExists$/i.test(name) ? 'IfExists' : ''}?`;
}

/** How a value of an operator should be written, or `undefined` where it is well written. */
export function valueAdvice(
  operator: Operator | undefined,
  value: string,
  variables: boolean,
): string | undefined {
  if (operator === undefined)
    return parseBool(value) === undefined ? 'write true (the key is missing) or false' : undefined;
  const expects = operator.comparison.expects(value);
  if (expects !== undefined) return `write ${expects}`;
  if (!variables || !operator.comparison.variables || variableProblem(value) === undefined)
    return undefined;
  return 'write a variable as ${aws:username}, a dollar sign before a brace as ${$}{';
}

/** Makes a parsed condition ready. An operator that no parser accepts never holds. */
export function compileCondition(
  condition: PolicyCondition,
  variables: boolean,
): CompiledCondition {
  const parsed = parseOperator(condition.operator);
  if (parsed === undefined) return { holds: () => false, needs: [] };
  const { operator, set, ifExists } = parsed;
  const { key } = condition;
  if (operator === undefined) {
    const absent = condition.values.map(parseBool);
    return { holds: (values) => absent.includes(values(key) === undefined), needs: [] };
  }
  const { comparison, negated } = operator;
  const relations = condition.values.map((value) => comparison.relation(value, variables));
  const missing = set === 'all' || ifExists || (set === undefined && negated);
  return {
    needs:
      negated && comparison.variables && variables ? needs(condition, comparison.wildcards) : [],
    holds(values) {
      const actual = values(key);
      if (actual === undefined) return missing;
      const satisfied = (value: string): boolean =>
        relations.some((relation) => relation(value, values)) !== negated;
      // Several values without ForAllValues or ForAnyValue: one must be equal, or none may be.
      return set === 'all' || (set === undefined && negated)
        ? actual.every(satisfied)
        : actual.some(satisfied);
    },
  };
}

function needs(condition: PolicyCondition, wildcards: boolean): readonly string[] {
  return condition.values.flatMap((value) =>
    neededKeys(parsePattern(value, { wildcards, variables: true })),
  );
}
