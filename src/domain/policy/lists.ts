import type { PolicyKind } from './policy.ts';
import { matchesGlob } from '../wildcard.ts';
import { variableProblem } from './pattern.ts';
import type { Report } from './problem.ts';

/** `*`, `ecr:*`, `ecr:Get*`, `s3:GetObject`: a wildcard has no place in the service, but `*:*`. */
const actionForm = /^(?:\*|\*:\*|([a-z\d-]{1,64}):[\w*?-]{1,128})$/i;

/** `*` or a text that is, or may become, an ARN. */
const resourceForm = /^(?:\*|arn:\S{1,2048})$/;

/** Reads Action or NotAction, one or a list, into lower case. */
export function readActions(
  value: unknown,
  field: string,
  kind: PolicyKind,
  report: Report,
): readonly string[] {
  return readList(value, field, 'name an action, such as ecr:BatchGetImage', report, (text) => {
    const match = actionForm.exec(text);
    if (match === null) return 'write it as ecr:BatchGetImage, ecr:Get* or *';
    const service = match[1]?.toLowerCase();
    if (kind === 'trust') return adviceForTrust(text);
    const own = kind === 'secret' ? 'secretsmanager' : 'ecr';
    if (kind === 'identity' || service === undefined || service === own) return undefined;
    return `only actions of ${own} stand in a ${kind} policy`;
  }).map((action) => action.toLowerCase());
}

/** All that a role may be trusted with. */
const trustActions = [
  'sts:AssumeRole',
  'sts:AssumeRoleWithWebIdentity',
  'sts:AssumeRoleWithSAML',
  'sts:TagSession',
  'sts:SetSourceIdentity',
];

function adviceForTrust(text: string): string | undefined {
  const pattern = text.toLowerCase();
  if (pattern.startsWith('sts:') && trustActions.some((each) => matches(pattern, each)))
    return undefined;
  return `a trust policy speaks of ${trustActions.join(', ')} alone`;
}

function matches(pattern: string, action: string): boolean {
  return matchesGlob(pattern, action.toLowerCase());
}

/** Reads Resource or NotResource, one or a list, as they are written. */
export function readResources(
  value: unknown,
  field: string,
  variables: boolean,
  report: Report,
): readonly string[] {
  const example = 'arn:aws:ecr:*:111122223333:repository/team/*';
  return readList(value, field, `name a resource, such as ${example}`, report, (text) => {
    if (!resourceForm.test(text)) return `write * or an ARN such as ${example}`;
    if (variables && variableProblem(text) !== undefined)
      return 'write a variable as ${aws:username}, a dollar sign before a brace as ${$}{';
    return undefined;
  });
}

/** One text or a list of at least one; `advice` says how a text should be written that is not. */
export function readList(
  value: unknown,
  field: string,
  ifEmpty: string,
  report: Report,
  advice: (text: string) => string | undefined,
): readonly string[] {
  const isList = Array.isArray(value);
  const list: readonly unknown[] = isList ? value : [value];
  if (list.length === 0) report(field, '[]', 'is an empty list', ifEmpty);
  return list.flatMap((item, index) => {
    const at = isList ? `${field}[${index}]` : field;
    const fix = typeof item === 'string' ? advice(item) : 'put it in quotes';
    if (typeof item === 'string' && fix === undefined) return [item];
    const what = typeof item === 'string' ? 'is not understood' : 'is no text';
    report(at, item, what, fix ?? '');
    return [];
  });
}
