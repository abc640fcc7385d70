import { parseRoleArn, parseSessionArn } from '../policy/principal.ts';

/** The name of the registry's setting that lists the ARNs of principals whose pulls leave pull times as they are. */
export const pullTimeExclusions = 'pullTimeExclusions';

/** What the ARN of a role and those of its sessions have in common, whatever the role's path; any other ARN is its own. */
export function excludedAs(arn: string): string {
  const role = parseRoleArn(arn) ?? parseSessionArn(arn);
  return role === undefined ? arn : `${role.account} ${role.name}`;
}
