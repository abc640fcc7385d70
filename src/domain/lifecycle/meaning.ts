import type { LifecyclePolicy, LifecycleRule, TagRequirement } from './policy.ts';
import { patternMatcher } from './tag-match.ts';

/** What a rule does, in one sentence without a full stop: `expires untagged images that were pushed more than 14 days ago`. */
export function meaningOf(rule: LifecycleRule): string {
  const { action, tags, storageClass, countType, countNumber: count } = rule;
  const verb = action === 'expire' ? 'expires' : 'archives';
  const place = storageClass === 'archive' ? 'archived ' : '';
  const which = `${verb} ${place}${imagesOf(tags)}`;
  const days = `${count} ${count === 1 ? 'day' : 'days'} ago`;
  switch (countType) {
    case 'imageCountMoreThan':
      return `${which}, all but the ${count} youngest`;
    case 'sinceImagePushed':
      return `${which} that were pushed more than ${days}`;
    case 'sinceImagePulled':
      return `${which} that were last pulled, or pushed and never pulled, more than ${days}`;
    case 'sinceImageTransitioned':
      return `${which} that were archived more than ${days}`;
  }
}

function imagesOf(tags: TagRequirement): string {
  if (tags.status === 'any') return 'images, tagged or not';
  if (tags.status === 'untagged') return 'untagged images';
  const how = tags.kind === 'prefix' ? 'begins with' : 'matches';
  const each = tags.entries.map((entry) => `a tag that ${how} ${entry}`);
  return `images with ${each.length > 1 ? 'all of: ' : ''}${each.join('; ')}`;
}

/** What a policy may say in vain: each names its rule. */
export interface LifecycleRemark {
  readonly priority: number;
  readonly text: string;
}

/** Remarks by ascending priority. */
export function lifecycleRemarks({ rules }: LifecyclePolicy): readonly LifecycleRemark[] {
  return rules.flatMap((rule, at) => {
    const shield = rules
      .slice(0, at)
      .find(
        (earlier) => earlier.storageClass === rule.storageClass && covers(earlier.tags, rule.tags),
      );
    return [
      ...remarkOnList(rule),
      ...(shield === undefined
        ? []
        : [
            {
              priority: rule.priority,
              text: `never acts: an image that it selects meets the tags of rule ${shield.priority} too, and is that rule's alone`,
            },
          ]),
    ];
  });
}

/** A list reads as if one of its entries were enough. */
function remarkOnList({ priority, tags }: LifecycleRule): readonly LifecycleRemark[] {
  if (tags.status !== 'tagged' || tags.entries.length === 1) return [];
  const asPatterns = patternsOf(tags);
  const needed = asPatterns.filter(
    (pattern) => !asPatterns.some((other) => other !== pattern && includes(pattern, other)),
  );
  if (needed.length < 2) return [];
  const text = `selects only images that have a tag for each of ${tags.entries.join(', ')} at once: an image with one such tag is not selected; where one is enough, write a rule for each`;
  return [{ priority, text }];
}

/** Whether every image that meets the second requirement meets the first. False where it is not known. */
function covers(wide: TagRequirement, narrow: TagRequirement): boolean {
  if (wide.status === 'any') return true;
  if (wide.status === 'untagged') return narrow.status === 'untagged';
  if (narrow.status !== 'tagged') return false;
  const inner = patternsOf(narrow);
  return patternsOf(wide).every((pattern) => inner.some((each) => includes(pattern, each)));
}

function patternsOf(tags: TagRequirement & { readonly status: 'tagged' }): readonly string[] {
  return tags.kind === 'pattern' ? tags.entries : tags.entries.map((prefix) => `${prefix}*`);
}

/** Whether all that matches the second pattern matches the first: its stars can be swallowed by a star alone. */
function includes(wide: string, narrow: string): boolean {
  return patternMatcher(wide)(narrow);
}
