import type { PolicyDocument, PolicyStatement, PrincipalMatch } from './policy.ts';
import { compileCondition } from './conditions.ts';
import type { CompiledCondition } from './conditions.ts';
import {
  matchesSegments,
  neededKeys,
  parsePattern,
  resolvePattern,
  splitAtColons,
} from './pattern.ts';
import type { KeyValues, PolicyPattern } from './pattern.ts';
import { matchesPattern } from '../wildcard.ts';
import type { PatternCodes } from '../wildcard.ts';
import { arnOf } from './principal.ts';
import type { Principal } from './principal.ts';

/** A question as statements see it, made once for all of them. */
export interface Asked {
  readonly principal: Principal;
  readonly account: string | undefined;
  readonly arn: string | undefined;
  /** Of a session its own; `arn` is its role's. */
  readonly sessionArn: string | undefined;
  /** Names of the identity provider that vouches for whoever assumes a role. */
  readonly federated: readonly string[];
  readonly everyoneIncludesAnonymous: boolean;
  /** Lower case. */
  readonly action: string;
  readonly resource: string;
  /** The resource between its colons. */
  readonly segments: readonly string[];
  readonly values: KeyValues;
}

/** A statement made ready to be asked often. */
export interface CompiledStatement {
  /** The Sid, or the index from 0. */
  readonly label: string;
  readonly isDeny: boolean;
  /**
   * Whether it speaks of this question: `directly` of the principal, `bySession` of the very session, or `byAccount`, where an Allow
   * leaves it to the identity policies of the account that it names.
   */
  readonly applies: (asked: Asked) => Concerns | undefined;
}

type Concerns = 'directly' | 'bySession' | 'byAccount';

const compiled = new WeakMap<PolicyDocument, readonly CompiledStatement[]>();

/** A document's statements, made ready the first time and kept as long as the document is. */
export function statementsOf(document: PolicyDocument): readonly CompiledStatement[] {
  const known = compiled.get(document);
  if (known !== undefined) return known;
  const statements = document.statements.map((statement, index) =>
    compile(statement, index, document.version === '2012-10-17'),
  );
  compiled.set(document, statements);
  return statements;
}

function compile(statement: PolicyStatement, index: number, variables: boolean): CompiledStatement {
  const isDeny = statement.effect === 'Deny';
  const actionMatches = matcherOfActions(statement);
  const resources = resourceMatcher(statement.resources ?? statement.notResources ?? [], variables);
  const anyResource = statement.resources === undefined && statement.notResources === undefined;
  const conditions = statement.conditions.map((each) => compileCondition(each, variables));
  const needs = isDeny ? [] : needsOf(statement, conditions, variables);
  return {
    label: statement.sid === undefined || statement.sid === '' ? String(index) : statement.sid,
    isDeny,
    applies(asked) {
      if (!actionMatches(asked.action)) return undefined;
      const how = howConcerned(statement, isDeny, asked);
      if (how === undefined) return undefined;
      if (!anyResource && resources(asked) === (statement.resources === undefined))
        return undefined;
      for (const condition of conditions) if (!condition.holds(asked.values)) return undefined;
      for (const key of needs) if (asked.values(key)?.length !== 1) return undefined;
      return how;
    },
  };
}

/** Without a value for these an Allow would exclude less than it says. */
function needsOf(
  statement: PolicyStatement,
  conditions: readonly CompiledCondition[],
  variables: boolean,
): readonly string[] {
  const excluded = variables ? (statement.notResources ?? []) : [];
  return [
    ...excluded.flatMap((text) => neededKeys(parsePattern(text, { wildcards: true, variables }))),
    ...conditions.flatMap((condition) => condition.needs),
  ];
}

function matcherOfActions(statement: PolicyStatement): (action: string) => boolean {
  const negated = statement.actions === undefined;
  const texts = statement.actions ?? statement.notActions ?? [];
  const literal = new Set(texts.filter((text) => !/[*?]/.test(text)));
  const patterns = texts
    .filter((text) => !literal.has(text))
    .map((text) => parsePattern(text, { wildcards: true, variables: false }).constant ?? []);
  return (action) =>
    (literal.has(action) || patterns.some((pattern) => matchesPattern(pattern, action))) !==
    negated;
}

function resourceMatcher(texts: readonly string[], variables: boolean): (asked: Asked) => boolean {
  const all = texts.includes('*');
  const literal = new Set<string>();
  const patterns: (readonly PatternCodes[])[] = [];
  const variable: PolicyPattern[] = [];
  for (const text of texts) {
    const pattern = parsePattern(text, { wildcards: true, variables });
    if (pattern.constant === undefined) variable.push(pattern);
    else if (/[*?]/.test(text)) patterns.push(splitAtColons(pattern.constant));
    else literal.add(text);
  }
  return (asked) => {
    if (all || literal.has(asked.resource)) return true;
    if (patterns.some((pattern) => matchesSegments(pattern, asked.segments))) return true;
    return variable.some((pattern) => {
      const codes = resolvePattern(pattern, asked.values);
      return codes !== undefined && matchesSegments(splitAtColons(codes), asked.segments);
    });
  };
}

function howConcerned(
  statement: PolicyStatement,
  isDeny: boolean,
  asked: Asked,
): Concerns | undefined {
  const { principals, notPrincipals } = statement;
  if (principals !== undefined)
    return isDeny ? deniedBy(principals, asked) : namedBy(principals, asked);
  if (notPrincipals !== undefined) {
    if (isDeny) return isExempt(notPrincipals, asked) ? undefined : 'directly';
    return isExcluded(notPrincipals, asked) ? undefined : 'directly';
  }
  return 'directly';
}

/** A Deny for an account is for everyone in it. */
function deniedBy(match: PrincipalMatch, asked: Asked): 'directly' | undefined {
  return match.everyone || namesAccount(match, asked) || namesPrincipal(match, asked)
    ? 'directly'
    : undefined;
}

function namedBy(match: PrincipalMatch, asked: Asked): Concerns | undefined {
  if (namesSession(match, asked)) return 'bySession';
  if (match.everyone && isOfEveryone(asked)) return 'directly';
  if (namesPrincipal(match, asked)) return 'directly';
  return namesAccount(match, asked) ? 'byAccount' : undefined;
}

/** NotPrincipal with Deny spares those alone that it names themselves: an account there is its administrator. */
function isExempt(match: PrincipalMatch, asked: Asked): boolean {
  return match.everyone || namesPrincipal(match, asked);
}

/** NotPrincipal with Allow leaves out whole accounts. */
function isExcluded(match: PrincipalMatch, asked: Asked): boolean {
  return (
    match.everyone ||
    namesAccount(match, asked) ||
    namesPrincipal(match, asked) ||
    !isOfEveryone(asked)
  );
}

function isOfEveryone(asked: Asked): boolean {
  return asked.principal.kind !== 'anonymous' || asked.everyoneIncludesAnonymous;
}

function namesAccount(match: PrincipalMatch, asked: Asked): boolean {
  return asked.account !== undefined && match.accounts.includes(asked.account);
}

function namesPrincipal(match: PrincipalMatch, asked: Asked): boolean {
  if (asked.principal.kind === 'administrator') return namesAccount(match, asked);
  return (
    namesSession(match, asked) ||
    (asked.arn !== undefined && match.arns.includes(asked.arn)) ||
    (match.federated.length > 0 && asked.federated.some((each) => match.federated.includes(each)))
  );
}

/** One session of a role, rather than the role. */
function namesSession(match: PrincipalMatch, { sessionArn }: Asked): boolean {
  return sessionArn !== undefined && match.arns.includes(sessionArn);
}

/** The condition keys that say who is asking: they follow from the principal, whatever the context holds. */
const principalKeys: ReadonlyMap<string, (principal: Principal) => string | undefined> = new Map([
  ['aws:principalarn', arnOf],
  ['aws:principalaccount', accountOf],
  ['aws:principaltype', (principal: Principal) => principalTypes[principal.kind]],
  [
    'aws:username',
    (principal: Principal) =>
      principal.kind === 'user' || principal.kind === 'robot' ? principal.name : undefined,
  ],
]);

/** A question's condition keys: the principal's own, then the context's. */
export function keyValues(
  principal: Principal,
  context: ReadonlyMap<string, readonly string[]>,
): KeyValues {
  return (key) => {
    const own = principalKeys.get(key);
    if (own !== undefined) {
      const value = own(principal);
      return value === undefined ? undefined : [value];
    }
    const held = context.get(key);
    return held === undefined || held.length === 0 ? undefined : held;
  };
}

export function accountOf(principal: Principal): string | undefined {
  return principal.kind === 'anonymous' ? undefined : principal.account;
}

const principalTypes: Readonly<Record<Principal['kind'], string>> = {
  anonymous: 'Anonymous',
  administrator: 'Account',
  user: 'User',
  robot: 'User',
  role: 'AssumedRole',
};
