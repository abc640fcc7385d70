import type { PolicyDocument } from '../../domain/policy/policy.ts';
import { userIdOf } from '../identify/unique-id.ts';
import { registryOf } from '../../domain/names/registry.ts';
import type { Question } from '../access.ts';

/**
 * The condition keys of a request, in lower case (IAM user guide, "global condition context keys"), but for those that
 * follow from the principal: the evaluator has these from the principal itself (`keyValues`).
 */
export function conditionContext(
  question: Question,
  now: number,
  organizationId = '',
): ReadonlyMap<string, readonly string[]> {
  const { from, registry, caller, policyArn } = question;
  const { account, region } = registryOf(registry);
  const context = new Map<string, readonly string[]>([
    ['aws:sourceip', [plainAddress(from.address)]],
    ['aws:securetransport', [String(from.secure)]],
    ['aws:currenttime', [new Date(now).toISOString()]],
    ['aws:epochtime', [String(Math.floor(now / 1000))]],
    ['aws:requestedregion', [region]],
    ['aws:resourceaccount', [account]],
    // Nobody asks through a service of AWS: policies that spare those who do are written with these.
    ['aws:viaawsservice', ['false']],
    ['aws:principalisawsservice', ['false']],
  ]);
  if (from.userAgent !== undefined) context.set('aws:useragent', [from.userAgent]);
  if (policyArn !== undefined) context.set('iam:policyarn', [policyArn]);
  const { principal, madeAt = 0, tags = [], session } = caller;
  if (organizationId !== '') {
    context.set('aws:resourceorgid', [organizationId]);
    if (principal.kind !== 'anonymous') context.set('aws:principalorgid', [organizationId]);
  }
  for (const { key, value } of tags) context.set(`${principalTag}${key.toLowerCase()}`, [value]);
  if (session?.provider !== undefined) context.set('aws:federatedprovider', [session.provider]);
  for (const [key, values] of question.trust?.keys ?? []) context.set(key, values);
  return context.set('aws:userid', [
    principal.kind === 'anonymous' ? 'anonymous' : userIdOf(principal, madeAt),
  ]);
}

const principalTag = 'aws:principaltag/';

/** Keys whose values stay the same for a caller, an address and a registry: decisions by them can be remembered. */
const steadyKeys: ReadonlySet<string> = new Set([
  'aws:sourceip',
  'aws:securetransport',
  'aws:requestedregion',
  'aws:resourceaccount',
  'aws:principaltype',
  'aws:viaawsservice',
  'aws:principalisawsservice',
  'aws:principalarn',
  'aws:principalaccount',
  'aws:userid',
  'aws:username',
  'aws:principalorgid',
  'aws:resourceorgid',
  'aws:federatedprovider',
]);

/** A label of the caller stays as long as the caller is known. */
function isSteadyKey(key: string): boolean {
  return steadyKeys.has(key) || key.startsWith(principalTag);
}

export function isSteady(policy: PolicyDocument): boolean {
  return policy.statements.every(
    ({ conditions, resources = [], notResources = [] }) =>
      conditions.every(({ key, values }) => isSteadyKey(key) && values.every(isSteadyText)) &&
      resources.every(isSteadyText) &&
      notResources.every(isSteadyText),
  );
}

/** Policy variables are keys too: `${aws:username}`. */
function isSteadyText(text: string): boolean {
  if (!text.includes('${')) return true;
  return Array.from(text.matchAll(/\$\{\s*([^,}\s]*)/g), ([, key = '']) => key.toLowerCase()).every(
    isSteadyKey,
  );
}

/** An IPv4 client of an IPv6 socket by its own address. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
