import { RegistryError } from '../errors.ts';
import type { PullRule, PullTarget } from './pull-rule.ts';
import type { Reference } from '../names/reference.ts';
import { matchesGlob } from '../wildcard.ts';

/** The longest pattern that configuration accepts. */
export const namePatternCharactersMax = 512;

/** A pattern's two sides: `library/*`, `library/nginx:1.*`, `library/nginx@sha256:…`. */
interface NamePattern {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

function parseNamePattern(pattern: string): NamePattern {
  const at = pattern.indexOf('@');
  if (at >= 0)
    return { repository: pattern.slice(0, at), tag: undefined, digest: pattern.slice(at + 1) };
  const colon = pattern.indexOf(':');
  if (colon >= 0)
    return {
      repository: pattern.slice(0, colon),
      tag: pattern.slice(colon + 1),
      digest: undefined,
    };
  return { repository: pattern, tag: undefined, digest: undefined };
}

/**
 * Whether a rule's `allow` and `deny` let this through (ARCHITECTURE.md, "Rules and names"); deny wins, an empty `allow` is all. Blobs and lists come
 * without a reference. A pull by tag goes on by digest, so an `allow` of tags admits its repository's digests and blobs;
 * a `deny` of tags denies these tags alone.
 */
export function isAllowed(
  rule: Pick<PullRule, 'allow' | 'deny'>,
  upstreamRepository: string,
  reference: Reference | undefined,
): boolean {
  if (rule.deny.some((pattern) => denies(parseNamePattern(pattern), upstreamRepository, reference)))
    return false;
  if (rule.allow.length === 0) return true;
  return rule.allow.some((pattern) =>
    admits(parseNamePattern(pattern), upstreamRepository, reference),
  );
}

/** The same of what a name was resolved to; all is, where no rule leads. */
export function isAdmitted(
  { rule, upstreamRepository }: PullTarget,
  reference?: Reference,
): boolean {
  if (rule === undefined || (rule.allow.length === 0 && rule.deny.length === 0)) return true;
  return isAllowed(rule, upstreamRepository, reference);
}

/** The answer to whom its patterns don't let through. */
export function notAdmitted({ rule, upstreamRepository }: PullTarget): RegistryError {
  const prefix = rule?.prefix;
  return new RegistryError('denied', `the rule ${prefix} does not allow this`, {
    detail: { rule: prefix, repository: upstreamRepository, field: 'allow, deny' },
  });
}

function denies(
  pattern: NamePattern,
  repository: string,
  reference: Reference | undefined,
): boolean {
  if (!matchesGlob(pattern.repository, repository)) return false;
  if (pattern.tag !== undefined)
    return reference?.kind === 'tag' && matchesGlob(pattern.tag, reference.tag);
  if (pattern.digest !== undefined) {
    return reference?.kind === 'digest' && matchesGlob(pattern.digest, reference.digest);
  }
  return true;
}

function admits(
  pattern: NamePattern,
  repository: string,
  reference: Reference | undefined,
): boolean {
  if (!matchesGlob(pattern.repository, repository)) return false;
  if (reference === undefined) return true;
  if (pattern.digest !== undefined) {
    return reference.kind === 'digest' && matchesGlob(pattern.digest, reference.digest);
  }
  if (pattern.tag !== undefined && reference.kind === 'tag')
    return matchesGlob(pattern.tag, reference.tag);
  return true;
}
