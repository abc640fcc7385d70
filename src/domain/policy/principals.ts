import type { PrincipalMatch } from './policy.ts';
import { readList } from './lists.ts';
import { isAccountId, parsePrincipalArn } from './principal.ts';
import { isObject, own } from '../json.ts';
import { shortened } from './problem.ts';
import type { Report } from './problem.ts';

/** Kinds that ECR's policies may name. CanonicalUser matches nobody here, Federated those alone who assume a role. */
const kinds = ['AWS', 'Service', 'Federated', 'CanonicalUser'];

/** Users, roles and sessions, by their whole name. */
const arnForm =
  /^arn:aws(?:-[a-z]+)*:(?:iam::\d{12}:(?:user|role)|sts::\d{12}:(?:assumed-role|federated-user))\/[\w+=,.@/-]{1,600}$/;

const nobody: PrincipalMatch = {
  everyone: false,
  accounts: [],
  arns: [],
  services: [],
  federated: [],
};

/** Reads Principal or NotPrincipal: `*`, or an object of kinds, each one text or a list. */
export function readPrincipals(value: unknown, field: string, report: Report): PrincipalMatch {
  if (value === '*') return { ...nobody, everyone: true };
  const example = '{"AWS": "arn:aws:iam::111122223333:root"}';
  if (!isObject(value) || Object.keys(value).length === 0) {
    report(field, value, 'names nobody', `write "*" or ${example}`);
    return nobody;
  }
  for (const kind of Object.keys(value)) {
    if (kinds.includes(kind)) continue;
    const fix = `the kinds are ${kinds.join(', ')}, as in ${example}`;
    report(`${field}.${shortened(kind, 40)}`, '', 'is no kind of principal', fix);
  }
  const named = (kind: string, advice: (text: string) => string | undefined): readonly string[] => {
    const list = own(value, kind);
    return list === undefined
      ? []
      : readList(list, `${field}.${kind}`, 'name one, or remove it', report, advice);
  };
  const aws = named('AWS', adviceForAws);
  named('CanonicalUser', adviceForAny);
  return {
    everyone: aws.includes('*'),
    accounts: aws.flatMap((text) => accountOf(text) ?? []),
    arns: aws.filter((text) => text !== '*' && accountOf(text) === undefined),
    services: named('Service', adviceForAny),
    federated: named('Federated', adviceForAny),
  };
}

function accountOf(text: string): string | undefined {
  if (isAccountId(text)) return text;
  const root = parsePrincipalArn(text);
  return root !== undefined && root.name === undefined ? root.account : undefined;
}

function adviceForAws(text: string): string | undefined {
  if (text === '*' || accountOf(text) !== undefined || arnForm.test(text)) return undefined;
  if (/^arn:.*[*?]/.test(text))
    return 'a principal has no wildcards: name its account, and ask for aws:PrincipalArn with ArnLike in Condition';
  return 'write twelve digits, arn:aws:iam::111122223333:root or arn:aws:iam::111122223333:user/name';
}

function adviceForAny(text: string): string | undefined {
  return text === '' || text.length > 2048 ? 'write its name' : undefined;
}
