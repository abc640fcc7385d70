import { z } from 'zod';
import { isAccountId, isPrincipalName } from '../../domain/policy/principal.ts';
import { parseIpBlock } from '../../domain/names/ip-address.ts';
import * as value from './values.ts';

// Every error text is `not a …; write …`, as in schema-values.ts.

const urlCharactersMax = 2048;

export function accountId(describe: string): z.ZodString {
  return value.parsed(
    describe,
    'not an account; write twelve digits in quotes, such as "000000000000"',
    isAccountId,
  );
}

const region = value.parsed(
  'us-east-1',
  'not a region; write one such as us-east-1',
  (text) => text.length <= 64 && /^[a-z]{2}(?:-[a-z]+)+-\d$/.test(text),
);

export function regions(): z.ZodUnion<readonly [z.ZodLiteral<'any'>, z.ZodArray<z.ZodString>]> {
  const error = 'not a choice of regions; write a list such as [us-east-1], or any';
  return z
    .union([z.literal('any'), z.array(region, { error }).min(1, { error }).max(100, { error })], {
      error,
    })
    .describe(
      'Registries beside each other: the first is home, a region that is not named here is home too; any: each is a registry of its own.',
    );
}

export function organizationId(): z.ZodString {
  return value.parsed(
    'aws:PrincipalOrgID of everyone here, and aws:ResourceOrgID of everything; empty: neither.',
    'not an organization; write o- and ten to 32 of a-z and 0-9, as o-a1b2c3d4e5',
    (text) => text === '' || /^o-[a-z0-9]{10,32}$/.test(text),
  );
}

export function anonymousImport(): z.ZodUnion<readonly [z.ZodBoolean, z.ZodLiteral<'loopback'>]> {
  return z
    .union([z.boolean(), z.literal('loopback')], {
      error: 'not true, false or loopback; write one of these, without quotes',
    })
    .describe('Whether an anonymous pull may fetch what is not held; loopback: from here alone.');
}

export const proxy: z.ZodString = value.parsed(
  'An address or a block of them.',
  'not an address of proxies; write one such as 127.0.0.1 or 10.0.0.0/8, not all there are',
  (text) => (parseIpBlock(text)?.bits ?? 0) > 0,
);

/** A URL without user, query or fragment; http only where it stays on this machine. */
function issuerUrl(describe: string, optional: boolean): z.ZodString {
  return value.parsed(
    describe,
    `not an https URL; write https://issuer.example.com, with http:// only on loopback${optional ? ', or "" to find it by discovery' : ''}`,
    (text) => (optional && text === '') || isIssuerUrl(text),
  );
}

function isIssuerUrl(text: string): boolean {
  const url = text.length <= urlCharactersMax ? URL.parse(text) : null;
  if (url === null || /[\s\\?#]/.test(text)) return false;
  if (url.username !== '' || url.password !== '' || url.hostname === '') return false;
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
}

const principal = z.strictObject(
  {
    claims: z
      .record(
        z.string(),
        value.parsed(
          'A pattern: * stands for any characters, ? for one.',
          'not a pattern; write a text such as "repo:team/*", 512 characters at most',
          (text) => text !== '' && text.length <= 512,
        ),
        { error: 'not a mapping; write claim: pattern, such as sub: "repo:team/*"' },
      )
      .refine((claims) => Object.keys(claims).length > 0, {
        error: 'empty; write at least one claim: pattern, such as sub: "repo:team/*"',
      })
      .describe('All of them must match; a claim that is a list matches by any of its elements.'),
    principal: value.parsed(
      'The user or robot that such a token speaks for.',
      'not a name of a user; write letters, digits and _+=,.@-, 64 characters at most',
      isPrincipalName,
    ),
    account: value
      .parsed(
        "The principal's account; empty: registryId.",
        'not an account; write twelve digits in quotes, or "" for registryId',
        (text) => text === '' || isAccountId(text),
      )
      .default(''),
  },
  { error: 'not a principal; write a mapping with claims and principal' },
);

const audienceError = 'not an audience; write the text that stands in aud';

/** One of `oidc`. */
export const oidcIssuer: z.ZodType<{
  issuer: string;
  audiences: string[];
  jwksUrl: string;
  caFile: string;
  principals: { claims: Record<string, string>; principal: string; account: string }[];
}> = z.strictObject(
  {
    issuer: issuerUrl('As the claim iss has it.', false),
    audiences: z
      .array(
        value.parsed('An audience.', audienceError, (text) => text !== '' && text.length <= 512),
        { error: 'not a list of audiences; write one such as [breakwater]' },
      )
      .min(1, { error: 'empty; write one such as [breakwater]' })
      .max(16, { error: 'not a list of at most 16; write fewer' })
      .describe('One of them must stand in the claim aud.'),
    jwksUrl: issuerUrl("Where the issuer's keys are; empty: found by discovery.", true).default(''),
    caFile: value.path("PEM, trusted for this issuer instead of the system's roots.").default(''),
    principals: z
      .array(principal, {
        error: 'not a list; write mappings with claims and principal',
      })
      .max(1000, { error: 'not a list of at most 1000; write fewer' })
      .default([])
      .describe('The first whose claims all match says who it is; none: its tokens are for roles.'),
  },
  { error: 'not an issuer; write a mapping with issuer, audiences and principals' },
);
