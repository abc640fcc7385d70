import type { PolicyCondition, PolicyKind } from './policy.ts';
import { operatorAdvice, parseOperator, valueAdvice } from './conditions.ts';
import { isObject } from '../json.ts';
import type { JsonObject } from '../json.ts';
import { shortened } from './problem.ts';
import type { Report } from './problem.ts';

/** `aws:SourceIp`, `ecr:ResourceTag/team`. */
const keyForm = /^[a-z\d-]{1,64}:\S.{0,255}$/i;

/** `token.actions.githubusercontent.com:sub`: an issuer without its scheme, and a claim of it. */
const trustKeyForm = /^[\w.~%-]{1,255}(?::\d{1,5})?(?:\/[\w.~%/-]{0,512})?:\S.{0,255}$/;

interface BlockOptions {
  readonly kind: PolicyKind;
  readonly variables: boolean;
}

/** Reads a Condition: operators, each of keys, each of one value or a list. All of them must hold. */
export function readConditions(
  block: unknown,
  field: string,
  options: BlockOptions,
  report: Report,
): readonly PolicyCondition[] {
  if (block === undefined) return [];
  if (!isObject(block)) {
    const fix = 'write {"StringEquals": {"aws:username": "ci"}}';
    report(field, block, 'is no object of operators', fix);
    return [];
  }
  return Object.entries(block).flatMap(([operator, keys]) => {
    const at = `${field}.${shortened(operator, 60)}`;
    if (parseOperator(operator) === undefined) {
      report(at, '', 'is no operator', operatorAdvice(operator));
      return [];
    }
    if (!isObject(keys)) {
      const fix = `write {"${operator}": {"aws:username": …}}`;
      report(at, keys, 'is no object of keys', fix);
      return [];
    }
    return readKeys(operator, keys, at, options, report);
  });
}

function readKeys(
  operator: string,
  keys: JsonObject,
  field: string,
  options: BlockOptions,
  report: Report,
): readonly PolicyCondition[] {
  const { kind, variables } = options;
  const form = kind === 'trust' ? trustKeyForm : keyForm;
  const seen = new Set<string>();
  return Object.entries(keys).map(([name, value]) => {
    const key = name.toLowerCase();
    const at = `${field}.${shortened(name, 60)}`;
    if (!form.test(name)) report(at, '', 'is no condition key', 'write it as aws:SourceIp');
    if (seen.has(key)) report(at, '', 'is there twice: case does not count', 'join the two');
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
      report(at, item, 'is no value', 'write a text');
      return [];
    }
    const text = String(item);
    const fix = valueAdvice(parsed, text, variables);
    if (fix === undefined) return [text];
    report(at, text, `is no value of ${operator}`, fix);
    return [];
  });
}
