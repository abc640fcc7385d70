import type { PolicyCondition } from './policy.ts';
import { operatorAdvice, parseOperator, valueAdvice } from './conditions.ts';
import { isObject, type Report, shortened } from './problem.ts';

/** `aws:SourceIp`, `ecr:ResourceTag/team`. */
const keyForm = /^[a-z\d-]{1,64}:\S.{0,255}$/i;

/** Reads a Condition: operators, each of keys, each of one value or a list. All of them must hold. */
export function readConditions(
  block: unknown,
  field: string,
  variables: boolean,
  report: Report,
): readonly PolicyCondition[] {
  if (block === undefined) return [];
  if (!isObject(block)) {
    const fix = 'write {"StringEquals": {"aws:username": "ci"}}';
    report({ field, value: shortened(block), what: 'is no object of operators', fix });
    return [];
  }
  return Object.entries(block).flatMap(([operator, keys]) => {
    const at = `${field}.${shortened(operator, 60)}`;
    if (parseOperator(operator) === undefined) {
      report({ field: at, value: '', what: 'is no operator', fix: operatorAdvice(operator) });
      return [];
    }
    if (!isObject(keys)) {
      const fix = `write {"${operator}": {"aws:username": …}}`;
      report({ field: at, value: shortened(keys), what: 'is no object of keys', fix });
      return [];
    }
    return readKeys(operator, keys, at, variables, report);
  });
}

function readKeys(
  operator: string,
  keys: Readonly<Record<string, unknown>>,
  field: string,
  variables: boolean,
  report: Report,
): readonly PolicyCondition[] {
  const seen = new Set<string>();
  return Object.entries(keys).map(([name, value]) => {
    const key = name.toLowerCase();
    const at = `${field}.${shortened(name, 60)}`;
    if (!keyForm.test(name))
      report({
        field: at,
        value: '',
        what: 'is no condition key',
        fix: 'write it as aws:SourceIp',
      });
    if (seen.has(key))
      report({
        field: at,
        value: '',
        what: 'is there twice: case does not count',
        fix: 'join the two',
      });
    seen.add(key);
    return { operator, key, values: readValues(operator, value, at, variables, report) };
  });
}

/** Texts, numbers and booleans, one or a list; an empty list is a value that nothing equals. */
function readValues(
  operator: string,
  value: unknown,
  field: string,
  variables: boolean,
  report: Report,
): readonly string[] {
  const parsed = parseOperator(operator)?.operator;
  const isList = Array.isArray(value);
  const list: readonly unknown[] = isList ? value : [value];
  return list.flatMap((item, index) => {
    const at = isList ? `${field}[${index}]` : field;
    if (typeof item !== 'string' && typeof item !== 'number' && typeof item !== 'boolean') {
      report({ field: at, value: shortened(item), what: 'is no value', fix: 'write a text' });
      return [];
    }
    const text = String(item);
    const fix = valueAdvice(parsed, text, variables);
    if (fix === undefined) return [text];
    report({ field: at, value: shortened(text), what: `is no value of ${operator}`, fix });
    return [];
  });
}
