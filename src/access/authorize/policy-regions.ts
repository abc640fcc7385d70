import type {
  PolicyCondition,
  PolicyDocument,
  PolicyStatement,
} from '../../domain/policy/policy.ts';
import type { RegistrySettings } from '../../domain/names/registry.ts';
import { homeRegionOf } from '../../domain/names/registry.ts';
import { matchesGlob } from '../../domain/wildcard.ts';

type Regions = RegistrySettings['regions'];

/** What a host name of ECR's form may say; with wildcards here. */
const regionForm = /^[a-z0-9*?-]{1,64}$/;
const requestedRegion = 'aws:requestedregion';
/** An ARN's part that stands for its region, the fourth where no `*` reaches over some of them. */
const regionAt = 3;

/**
 * The document where a region that is no registry of its own is home: what names such a region means home beside it, in resources and
 * in `aws:RequestedRegion` (ARCHITECTURE.md, "Registries, accounts and rights"). A wildcard that fits one: wherever more is denied by it, and where it fits no other region of
 * this server.
 */
export function inRegions(document: PolicyDocument, regions: Regions): PolicyDocument {
  if (regions === 'any') return document;
  return {
    ...document,
    statements: document.statements.map((each) => statementIn(each, regions)),
  };
}

function statementIn(statement: PolicyStatement, regions: readonly string[]): PolicyStatement {
  const denies = statement.effect === 'Deny';
  const { resources, notResources } = statement;
  return {
    ...statement,
    resources: resources && resources.flatMap((arn) => arnsIn(arn, regions, denies)),
    notResources: notResources && notResources.flatMap((arn) => arnsIn(arn, regions, !denies)),
    conditions: statement.conditions.map((each) => conditionIn(each, regions, denies)),
  };
}

/** The ARN, and the ones that it is at home. */
function arnsIn(arn: string, regions: readonly string[], wide: boolean): readonly string[] {
  const home = homeRegionOf(regions);
  const parts = arn.split(':');
  const found = [arn];
  for (const [at, part] of parts.entries()) {
    if (at > regionAt) break;
    const mayBeRegion = at === regionAt || parts.slice(0, at).some((each) => each.endsWith('*'));
    if (!mayBeRegion || isOtherPart(part) || !isHome(part, regions, wide)) continue;
    const [before, after] = [parts.slice(0, at), parts.slice(at + 1)];
    found.push([...before, home, ...after].join(':'));
    // A `*` at the part's end reaches over the following ones.
    if (part.endsWith('*')) found.push([...before, home, '*', ...after].join(':'));
  }
  return found;
}

/** What stands before or behind a region, where a `*` leaves open which part it is. */
function isOtherPart(part: string): boolean {
  return /^(?:arn|aws[a-z-]*|ecr|secretsmanager|\d*|\**)$/.test(part);
}

function isHome(part: string, regions: readonly string[], wide: boolean): boolean {
  if (!regionForm.test(part)) return false;
  if (!/[*?]/.test(part)) return !regions.includes(part);
  return wide || !regions.some((region) => matchesGlob(part, region));
}

function conditionIn(
  condition: PolicyCondition,
  regions: readonly string[],
  denies: boolean,
): PolicyCondition {
  if (condition.key !== requestedRegion || !/String/.test(condition.operator)) return condition;
  const wide = denies !== /Not/.test(condition.operator);
  const isLike = /Like/.test(condition.operator);
  const meansHome = condition.values.some(
    (value) => (isLike || !/[*?]/.test(value)) && isHome(value.toLowerCase(), regions, wide),
  );
  if (!meansHome) return condition;
  return { ...condition, values: [...condition.values, homeRegionOf(regions)] };
}
