import { RegistryError } from '../../domain/errors.ts';
import type { ImageName } from '../../domain/names/image-name.ts';
import { parseImageName } from '../../domain/names/image-name.ts';
import { hostInName } from '../../domain/rules/no-rule.ts';
import type { PullTarget } from '../../domain/rules/pull-rule.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { parseReference } from '../../domain/names/reference.ts';
import type { RuleSet } from '../../domain/rules/rule-set.ts';
import { rootPrefix, targetWithoutRule } from '../../domain/rules/rule-set.ts';

export interface ImageTarget {
  readonly target: PullTarget;
  readonly reference: Reference;
}

/**
 * Leads an image, written as people write it, to its rule: a path under one of our prefixes, a name at its own host, a name
 * behind our own address (`ownHosts`, with port), or Docker's short form. No tag is `latest`; a digest beside a tag wins.
 * Throws `requestInvalid`.
 */
export function locateImage(
  text: string,
  rules: RuleSet,
  ownHosts: ReadonlySet<string>,
): ImageTarget {
  const image = parseImageName(text);
  const reference = parseReference(image?.digest ?? image?.tag ?? 'latest');
  if (image === undefined || reference === undefined) throw invalidImage(text);
  const target = findTarget(image, writtenName(text), rules, ownHosts) ?? withoutRule(image, text);
  return { target, reference };
}

/** The text without its tag and digest, before Docker's defaults are added. */
function writtenName(text: string): string {
  const named = text.split('@', 1)[0] ?? '';
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  return colon < 0 ? named : named.slice(0, colon);
}

function namesHost(written: string): boolean {
  const slash = written.indexOf('/');
  return slash > 0 && /^localhost$|[.:A-Z]/.test(written.slice(0, slash));
}

function findTarget(
  image: ImageName,
  written: string,
  rules: RuleSet,
  ownHosts: ReadonlySet<string>,
): PullTarget | undefined {
  if (!namesHost(written))
    return rules.byPath(written) ?? rules.byHost(image.host, image.repository);
  const path = written.slice(written.indexOf('/') + 1);
  if (ownHosts.has(image.host)) return rules.byPath(path);
  const byPath = rules.byPath(written);
  if (byPath?.rule !== undefined && byPath.rule.prefix !== rootPrefix) return byPath;
  return rules.byHost(image.host, image.repository) ?? behindOtherName(path, rules) ?? byPath;
}

/** As clients elsewhere name this server, by an address that it does not know as its own, with a registry's host behind it. */
function behindOtherName(path: string, rules: RuleSet): PullTarget | undefined {
  if (hostInName(path) === undefined) return undefined;
  const target = rules.byPath(path);
  return target?.rule?.prefix === rootPrefix ? undefined : target;
}

/** The name itself: content of a removed rule may still be held under it. */
function withoutRule(image: ImageName, text: string): PullTarget {
  const target =
    targetWithoutRule(`${image.host}/${image.repository}`) ?? targetWithoutRule(image.repository);
  if (target === undefined) throw invalidImage(text);
  return target;
}

function invalidImage(text: string): RegistryError {
  return new RegistryError('requestInvalid', 'image: not an image name', {
    detail: {
      field: 'image',
      value: text.slice(0, 200),
      hint: 'write it as docker.io/library/nginx:1.27 or name@sha256:<64 hex digits>',
    },
  });
}
