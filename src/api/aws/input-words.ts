import type { InputProblem } from './input.ts';
import type { ShapeType } from './service-model.ts';

const typeNames: Readonly<Record<ShapeType, string>> = {
  string: 'String',
  integer: 'Integer',
  long: 'Long',
  double: 'Double',
  boolean: 'Boolean',
  timestamp: 'Timestamp',
  blob: 'base64 text',
  list: 'List',
  map: 'Map',
  structure: 'structure',
};

/** Of a value that is of another type: the words of AWS's parsers. */
export function typeProblem({ path, expected, found }: InputProblem & { why: 'type' }): string {
  const at = path === '' ? '' : ` at '${path}'`;
  return found.startsWith('START_')
    ? `Start of ${found === 'START_ARRAY' ? 'list' : 'structure or map'} found where ${typeNames[expected]} is expected${at}`
    : `${found} cannot be converted to ${typeNames[expected]}${at}`;
}

/** What a member had to satisfy: the words of AWS's validators. */
export function constraintWords(problem: Exclude<InputProblem, { why: 'type' }>): string {
  if (problem.why === 'missing') return 'Member must not be null';
  const { shape, limit } = problem;
  const isNumber = shape.type !== 'string' && !isSized(shape.type);
  switch (limit) {
    case 'min':
    case 'max': {
      const relation = `${limit === 'min' ? 'greater' : 'less'} than or equal to ${shape[limit]}`;
      return isNumber
        ? `Member must have value ${relation}`
        : `Member must have length ${relation}`;
    }
    case 'enum':
      return `Member must satisfy enum value set: [${(shape.enum ?? []).join(', ')}]`;
    case 'pattern':
      return `Member must satisfy regular expression pattern: ${shape.pattern}`;
  }
}

function isSized(type: ShapeType): boolean {
  return type === 'list' || type === 'map' || type === 'blob';
}

/** `1 validation error detected: Value 'x' at 'roleArn' failed to satisfy constraint: …`, as most services say it. */
export function validationText(problem: Exclude<InputProblem, { why: 'type' }>): string {
  const value = problem.why === 'missing' ? 'null' : `'${problem.value}'`;
  const path = problem.path
    .split('.')
    .map((part) => part.charAt(0).toLowerCase() + part.slice(1))
    .join('.');
  return `1 validation error detected: Value ${value} at '${path}' failed to satisfy constraint: ${constraintWords(problem)}`;
}
