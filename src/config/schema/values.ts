import { z } from 'zod';
import { namePatternCharactersMax } from '../../domain/rules/name-pattern.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import { isNamePattern, isPlatform } from '../../domain/rules/rule-settings.ts';
import { prefixCharactersMax, rootPrefix } from '../../domain/rules/rule-set.ts';
import { parseDuration } from './duration.ts';
import { parseListenAddress } from './listen-address.ts';
import { parseMinFree, parseSize } from './size.ts';
import { parseAllowedHost, parseUpstreamUrl } from '../../domain/rules/upstream-url.ts';

// Every error text is `not a …; write …`: what follows the semicolon is also the fix where the value lacks.

const pathCharactersMax = 4096;

/** A text that a parser understands; `describe` goes into the schema. */
export function parsed(
  describe: string,
  error: string,
  isGood: (text: string) => boolean,
): z.ZodString {
  return z.string({ error }).refine(isGood, { error }).describe(describe);
}

/** A time with units within bounds that are themselves so written. */
export function duration(describe: string, most: string): z.ZodString {
  const mostMs = parseDuration(most) ?? 0;
  return parsed(
    `${describe} A time with units (800ms, 30s, 24h, 1h30m), ${most} at most.`,
    `not a time up to ${most}; write a number with its unit, such as 800ms, 30s, 24h or 1h30m`,
    (text) => (parseDuration(text) ?? Number.POSITIVE_INFINITY) <= mostMs,
  );
}

/** A count of bytes with a unit, within bounds that are themselves so written. */
export function size(describe: string, least: string, most: string): z.ZodString {
  const [leastBytes = 0, mostBytes = 0] = [parseSize(least), parseSize(most)];
  return parsed(
    `${describe} A size with its unit (512KiB, 64MiB, 1GiB, 500MB), from ${least} to ${most}.`,
    `not a size from ${least} to ${most}; write a whole number with its unit, such as 64MiB or 1GiB`,
    (text) => {
      const bytes = parseSize(text);
      return bytes !== undefined && bytes >= leastBytes && bytes <= mostBytes;
    },
  );
}

export function minFree(describe: string): z.ZodString {
  return parsed(
    `${describe} A share (5%) or a size of at least 1GiB.`,
    'not a share or a size of at least 1GiB; write 5% or 20GiB',
    (text) => parseMinFree(text) !== undefined,
  );
}

export function listenAddress(describe: string, optional: boolean): z.ZodString {
  return parsed(
    describe,
    `not an address with a port; write 127.0.0.1:5000, [::1]:5000 or, for all addresses, ":5000"${optional ? ', or "" for none' : ''}`,
    (text) => (optional && text === '') || parseListenAddress(text) !== undefined,
  );
}

/** A path, or empty where nothing is set. */
export function path(describe: string, required = false): z.ZodString {
  return parsed(
    describe,
    `not a path; write one of at most ${pathCharactersMax} characters`,
    (text) =>
      text.length <= pathCharactersMax && !text.includes('\u0000') && !(required && text === ''),
  );
}

export function upstreamUrl(describe: string): z.ZodString {
  const fallback =
    'not a registry; write a host (https is spoken to it) or a URL with http:// or https://';
  return z
    .string({ error: fallback })
    .check((context) => {
      const url = parseUpstreamUrl(context.value);
      if ('problem' in url) {
        context.issues.push({ code: 'custom', message: url.problem, input: context.value });
      }
    })
    .describe(describe);
}

export function publicUrl(describe: string): z.ZodString {
  return parsed(
    describe,
    'not a URL of a host alone; write https://registry.example.com, or "" to go by each request\'s Host',
    (text) => {
      if (text === '') return true;
      const url = /^https?:\/\//.test(text) ? parseUpstreamUrl(text.replace(/\/$/, '')) : undefined;
      return url !== undefined && !('problem' in url);
    },
  );
}

export function rulePrefix(describe: string): z.ZodString {
  return parsed(
    describe,
    `not a prefix of repository names; write lower-case letters, digits, ".", "_", "-" and "/" between parts, ${prefixCharactersMax} characters at most, or ROOT`,
    (text) => text === rootPrefix || isName(text, prefixCharactersMax),
  );
}

export function upstreamPrefix(describe: string): z.ZodString {
  return parsed(
    describe,
    'not the beginning of a repository name; write lower-case letters, digits, ".", "_", "-" and "/" between parts, or "" for none',
    (text) => text === '' || isName(text, prefixCharactersMax),
  );
}

function isName(text: string, charactersMax: number): boolean {
  return text.length <= charactersMax && parseRepositoryName(text) !== undefined;
}

/** Secrets' names as Amazon's secrets manager allows them. */
export const secretName: RegExp = /^[A-Za-z0-9/_+=.@-]{1,512}$/;

export function credentialName(describe: string): z.ZodString {
  return parsed(
    describe,
    'not a name of a secret; write one of secretsFile or of the API, or "" for none',
    (text) => text === '' || secretName.test(text),
  );
}

export function platform(): z.ZodString {
  return parsed(
    'os/architecture or os/architecture/variant',
    'not a platform; write linux/amd64 or linux/arm/v7',
    isPlatform,
  );
}

export function namePattern(): z.ZodString {
  return parsed(
    'repository, repository:tag or repository@digest at the upstream; * stands for any characters, ? for one',
    `not a pattern; write library/*, library/nginx:1.* or library/nginx@sha256:…, ${namePatternCharactersMax} characters at most`,
    isNamePattern,
  );
}

export function allowedHost(): z.ZodString {
  return parsed(
    'A host, with its port where it is not 443.',
    'not a host; write auth.example.com or auth.example.com:8443, without a scheme or path',
    (text) => parseAllowedHost(text) !== undefined,
  );
}

export function count(describe: string, least: number, most: number): z.ZodInt {
  const error = `not a whole number from ${least} to ${most}; write one, without quotes`;
  return z.int({ error }).min(least, { error }).max(most, { error }).describe(describe);
}

export function flag(describe: string): z.ZodBoolean {
  return z
    .boolean({ error: 'not true or false; write one of these, without quotes' })
    .describe(describe);
}

export function list<Item extends z.ZodType>(
  item: Item,
  describe: string,
  most: number,
): z.ZodArray<Item> {
  const error = `not a list of at most ${most}; begin each of its entries with "- ", or write [] for none`;
  return z.array(item, { error }).max(most, { error }).describe(describe);
}
