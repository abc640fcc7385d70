import * as z from 'zod';
import { listOf } from '../../contract/access-schema.ts';
import * as outputs from '../../contract/admin-schema.ts';
import { freshForMsMax, patternsMax, platformsMax } from '../../domain/rules/rule-settings.ts';
import type { RuleSettings, RuleSettingsChange } from '../../domain/rules/rule-settings.ts';
import type { RuleOperations } from '../../operations/rules/rules.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { registryFields } from './input.ts';

export interface RulesParts {
  readonly pullRules: RuleOperations;
}

const prefix = z.string().min(1).max(255);
/** As long as the longest ARN; what is wrong with a text, its reader says. */
const text = z.string().min(1).max(2048);
const action = z.enum(['keep', 'stop']);
const pattern = z.string().min(1).max(512);

/** What may be set beside where a rule leads, each with what `null` means. */
const settings = {
  anonymousPull: z.boolean(),
  freshForSeconds: z
    .number()
    .min(0)
    .max(freshForMsMax / 1000),
  staleBudgetMs: z.int().min(0),
  onFailure: z.strictObject({
    notFound: action.optional(),
    denied: action.optional(),
    rateLimited: action.optional(),
    serverError: action.optional(),
    timeout: action.optional(),
    network: action.optional(),
  }),
  platforms: z.union([
    z.enum(['none', 'requested', 'all']),
    z.array(z.string().max(128)).min(1).max(platformsMax),
  ]),
  push: z.boolean(),
  allow: z.array(pattern).max(patternsMax),
  deny: z.array(pattern).max(patternsMax),
};
const given = z.strictObject(settings).partial().default({});
const changed = z
  .strictObject({
    anonymousPull: settings.anonymousPull.nullable(),
    freshForSeconds: settings.freshForSeconds.nullable(),
    staleBudgetMs: settings.staleBudgetMs.nullable(),
    onFailure: settings.onFailure.nullable(),
    platforms: settings.platforms.nullable(),
    push: settings.push.nullable(),
    allow: settings.allow.nullable(),
    deny: settings.deny.nullable(),
  })
  .partial();

/** Rules of a registry; every one of them by whoever has ECR's right to. */
export function ruleEndpoints({ pullRules }: RulesParts): readonly Endpoint[] {
  return [...reads(pullRules), ...changes(pullRules)];
}

function reads(pullRules: RuleOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'rules',
      summary: 'The rules of a registry',
      input: z.strictObject({ ...registryFields, prefix: prefix.optional() }),
      output: listOf(outputs.rule),
      answer: (input, asking) => pullRules.list(asking, input),
    }),
    endpoint({
      method: 'POST',
      path: 'rules/validate',
      summary: "Reads a rule's secret and asks its upstream with it",
      input: z.strictObject({ ...registryFields, prefix }),
      output: outputs.ruleValidation,
      answer: async (input, asking) =>
        (await pullRules.validate(asking, input, asking.signal)).validation,
    }),
  ];
}

function changes(pullRules: RuleOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: 'rules',
      summary: 'Makes a rule',
      created: true,
      input: z.strictObject({
        ...registryFields,
        prefix,
        upstream: z.string().min(1).max(512),
        upstreamRegistry: text.optional(),
        upstreamPrefix: z.string().min(1).max(255).optional(),
        credential: text.optional(),
        role: text.optional(),
        settings: given,
      }),
      output: outputs.rule,
      answer: async ({ credential, role, upstream, settings: set, ...input }, asking) => {
        const { freshForSeconds, ...others } = set;
        const made: RuleSettings = { ...others, ...freshFor(freshForSeconds) } as RuleSettings;
        const { view } = await pullRules.create(asking, {
          ...input,
          upstreamUrl: upstream,
          credentialArn: credential,
          roleArn: role,
          settings: made,
        });
        return view;
      },
    }),
    endpoint({
      method: 'PATCH',
      path: 'rules',
      summary: 'Changes a rule; what is null has its default again',
      input: z.strictObject({
        ...registryFields,
        prefix,
        credential: text.nullable().optional(),
        role: text.nullable().optional(),
        settings: changed.optional(),
      }),
      output: outputs.rule,
      answer: async ({ credential, role, settings: set, ...input }, asking) => {
        const { freshForSeconds, ...others } = set ?? {};
        const change = { ...others, ...freshFor(freshForSeconds) } as RuleSettingsChange;
        const { view } = await pullRules.update(asking, {
          ...input,
          credentialArn: credential,
          roleArn: role,
          ...(set === undefined ? {} : { settings: change }),
        });
        return view;
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'rules',
      summary: 'Deletes a rule; what it brought stays',
      input: z.strictObject({ ...registryFields, prefix }),
      output: outputs.deletedRule,
      answer: async (input, asking) => {
        const { prefix: given, restored } = await pullRules.delete(asking, input);
        return { prefix: given, restored: restored ?? null };
      },
    }),
  ];
}

function freshFor(seconds: number | null | undefined): { readonly freshForMs?: number | null } {
  if (seconds === undefined) return {};
  return { freshForMs: seconds === null ? null : Math.round(seconds * 1000) };
}
