import { RegistryError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import type { PolicyDocument, PolicyKind, PolicyStatement, PolicyVersion } from './policy.ts';
import { readConditions } from './condition-block.ts';
import { readPolicyJson } from './json.ts';
import { readActions, readResources } from './lists.ts';
import { readPrincipals } from './principals.ts';
import { isObject, own } from '../json.ts';
import type { JsonObject } from '../json.ts';
import { reportTo, sentenceOf, shortened } from './problem.ts';
import type { PolicyProblem, Report } from './problem.ts';

const policyKeys = ['Version', 'Id', 'Statement'];
const statementKeys = [
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
];

/**
 * Reads a policy's text (IAM JSON policy grammar, as ECR takes it). Throws `requestInvalid`: its message is the first problem,
 * its detail holds that one's field, value and fix, and all of them as `errors`.
 */
export function parsePolicy(text: string, kind: PolicyKind): PolicyDocument {
  const problems: PolicyProblem[] = [];
  const document = readDocument(text, kind, reportTo(problems));
  const first = problems[0];
  if (first === undefined) return document;
  const { field, value, fix } = first;
  const errors = problems.map((each) => ({ field: each.field, message: sentenceOf(each) }));
  throw new RegistryError('requestInvalid', sentenceOf(first), {
    kind: 'policyInvalid',
    detail: { field, value, fix, errors },
  });
}

/** What is wrong with a policy's text, at most twenty problems; none where `parsePolicy` takes it. */
export function policyProblems(text: string, kind: PolicyKind): readonly PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  readDocument(text, kind, reportTo(problems));
  return problems;
}

/** What it returns counts only where nothing was reported. */
function readDocument(text: string, kind: PolicyKind, report: Report): PolicyDocument {
  const root = readPolicyJson(text, report);
  if (!isObject(root)) {
    if (root !== undefined)
      report('', root, 'is no JSON object', 'begin with {"Version": "2012-10-17", …');
    return { kind, version: undefined, id: undefined, statements: [] };
  }
  refuseUnknown(root, policyKeys, '', report);
  const version = readVersion(root, report);
  const id = readText(root, 'Id', 'Id', report);
  const statements = statementsOf(root, report).map(({ statement, field }) =>
    readStatement(statement, field, { kind, variables: version === '2012-10-17' }, report),
  );
  return { kind, version, id, statements };
}

function readVersion(root: JsonObject, report: Report): PolicyVersion | undefined {
  const version = own(root, 'Version');
  if (version === undefined || version === '2012-10-17' || version === '2008-10-17') return version;
  return report('Version', version, 'is no version of the language', 'write 2012-10-17');
}

/** One statement may stand without a list. */
function statementsOf(
  root: JsonObject,
  report: Report,
): readonly { readonly statement: JsonObject; readonly field: string }[] {
  const value = own(root, 'Statement');
  const list: readonly unknown[] = Array.isArray(value)
    ? value
    : value === undefined
      ? []
      : [value];
  if (list.length === 0)
    report('Statement', value, 'holds no statement', 'add one, or delete the policy');
  return list.flatMap((statement, index) => {
    const field = Array.isArray(value) ? `Statement[${index}]` : 'Statement';
    if (isObject(statement)) return [{ statement, field }];
    report(field, statement, 'is no statement', 'write an object with Effect and Action');
    return [];
  });
}

function readStatement(
  statement: JsonObject,
  field: string,
  options: { readonly kind: PolicyKind; readonly variables: boolean },
  report: Report,
): PolicyStatement {
  const { kind, variables } = options;
  refuseUnknown(statement, statementKeys, field, report);
  const need = (name: string, required: boolean): Chosen =>
    choose(statement, name, required, field, report);
  const principal = choosePrincipal(statement, kind, field, report);
  const action = need('Action', true);
  if (kind === 'trust') refuseResource(statement, field, report);
  const resource = kind === 'trust' ? undefined : need('Resource', kind !== 'repository');
  const principals = principal && readPrincipals(principal.value, principal.field, report);
  const actions = action && readActions(action.value, action.field, kind, report);
  const resources = resource && readResources(resource.value, resource.field, variables, report);
  return {
    sid: readText(statement, 'Sid', `${field}.Sid`, report),
    effect: readEffect(statement, field, report),
    principals: principal?.negated === false ? principals : undefined,
    notPrincipals: principal?.negated === true ? principals : undefined,
    actions: action?.negated === false ? actions : undefined,
    notActions: action?.negated === true ? actions : undefined,
    resources: resource?.negated === false ? resources : undefined,
    notResources: resource?.negated === true ? resources : undefined,
    conditions: readConditions(
      own(statement, 'Condition'),
      `${field}.Condition`,
      { kind, variables },
      report,
    ),
  };
}

/** What a trust policy is of is the role that has it. */
function refuseResource(statement: JsonObject, field: string, report: Report): void {
  for (const name of ['Resource', 'NotResource']) {
    const value = own(statement, name);
    if (value === undefined) continue;
    report(`${field}.${name}`, value, 'stands in a trust policy', 'remove it');
  }
}

type Chosen =
  | { readonly value: unknown; readonly field: string; readonly negated: boolean }
  | undefined;

/** Of an element and its negation, the one that is there; both are refused, none where one is required. */
function choose(
  statement: JsonObject,
  name: string,
  required: boolean,
  field: string,
  report: Report,
): Chosen {
  const [plain, negation] = [own(statement, name), own(statement, `Not${name}`)];
  if (plain !== undefined && negation !== undefined) {
    return report(field, '', `has both ${name} and Not${name}`, 'keep one of the two');
  }
  if (plain !== undefined) return { value: plain, field: `${field}.${name}`, negated: false };
  if (negation !== undefined)
    return { value: negation, field: `${field}.Not${name}`, negated: true };
  if (required) {
    report(field, '', `has neither ${name} nor Not${name}`, `add ${name}`);
  }
  return undefined;
}

function choosePrincipal(
  statement: JsonObject,
  kind: PolicyKind,
  field: string,
  report: Report,
): Chosen {
  if (kind !== 'identity') return choose(statement, 'Principal', true, field, report);
  for (const name of ['Principal', 'NotPrincipal']) {
    const value = own(statement, name);
    if (value === undefined) continue;
    const fix = 'remove it: an identity policy speaks of who holds it';
    report(`${field}.${name}`, value, 'stands in an identity policy', fix);
  }
  return undefined;
}

function readEffect(statement: JsonObject, field: string, report: Report): 'Allow' | 'Deny' {
  const effect = own(statement, 'Effect');
  if (effect === 'Allow' || effect === 'Deny') return effect;
  const what = effect === undefined ? 'is missing' : 'is neither Allow nor Deny';
  report(`${field}.Effect`, effect, what, 'write "Allow" or "Deny"');
  return 'Deny';
}

function readText(
  object: JsonObject,
  key: string,
  field: string,
  report: Report,
): string | undefined {
  const value = own(object, key);
  if (value === undefined || typeof value === 'string') return value;
  return report(field, value, 'is no text', 'put it in quotes');
}

function refuseUnknown(
  object: JsonObject,
  known: readonly string[],
  field: string,
  report: Report,
): void {
  for (const key of Object.keys(object)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const fix =
      near === undefined ? `the keys here are ${known.join(', ')}` : `did you mean ${near}?`;
    const where = `${field}${field === '' ? '' : '.'}${shortened(key, 40)}`;
    report(where, '', 'is no key of the language', fix);
  }
}
