import type { MadeRule } from '../../operations/rules/rule-views.ts';
import { timestamp } from '../aws/service-model.ts';
import type { PullThroughCacheRule, UpstreamRegistry } from './model.ts';
import { listOf, pageOfCall, registryOfCall, requireNoPage } from './parts.ts';
import type { EcrParts, EcrRows } from './parts.ts';

/** Pull through cache rules: URL and prefixes come out as they were given, and what was not said is left out. */
export function ruleRows(parts: Pick<EcrParts, 'pullRules' | 'pages'>): EcrRows {
  return { ...changes(parts), ...reads(parts) };
}

function changes({ pullRules }: Pick<EcrParts, 'pullRules'>): EcrRows {
  return {
    CreatePullThroughCacheRule: {
      changes: true,
      answer: async (input, asking) => {
        const { rule } = await pullRules.create(asking, {
          ...registryOfCall(asking, input),
          prefix: input.ecrRepositoryPrefix,
          upstreamUrl: input.upstreamRegistryUrl,
          upstreamRegistry: input.upstreamRegistry,
          upstreamPrefix: input.upstreamRepositoryPrefix,
          credentialArn: input.credentialArn,
          roleArn: input.customRoleArn,
        });
        const { updatedAt: _, ...made } = viewRule(rule);
        return made;
      },
    },
    UpdatePullThroughCacheRule: {
      changes: true,
      answer: async (input, asking) => {
        const { rule } = await pullRules.update(asking, {
          ...registryOfCall(asking, input),
          prefix: input.ecrRepositoryPrefix,
          credentialArn: input.credentialArn,
          roleArn: input.customRoleArn,
        });
        return { ...viewIdentity(rule), updatedAt: timestamp(rule.updatedAt) };
      },
    },
    DeletePullThroughCacheRule: {
      changes: true,
      answer: async (input, asking) => {
        const place = registryOfCall(asking, input);
        const rule = await pullRules.delete(asking, {
          ...place,
          prefix: input.ecrRepositoryPrefix,
        });
        return {
          ...viewIdentity(rule),
          upstreamRegistryUrl: rule.upstreamUrl,
          createdAt: timestamp(rule.createdAt),
        };
      },
    },
  };
}

function reads(parts: Pick<EcrParts, 'pullRules' | 'pages'>): EcrRows {
  const { pullRules, pages } = parts;
  return {
    DescribePullThroughCacheRules: {
      changes: false,
      answer: async (input, asking) => {
        const place = registryOfCall(asking, input);
        const { ecrRepositoryPrefixes: prefixes } = input;
        if (prefixes === undefined) {
          const list = listOf('DescribePullThroughCacheRules', place);
          const asked = { ...place, ...pageOfCall(parts, list, input) };
          const page = await pullRules.describe(asking, asked);
          return {
            pullThroughCacheRules: page.items.map(viewRule),
            nextToken: pages.write(list, page.next),
          };
        }
        requireNoPage('ecrRepositoryPrefixes', input);
        const wanted = [...new Set(prefixes)];
        const found = await pullRules.describeNamed(asking, { ...place, prefixes: wanted });
        return { pullThroughCacheRules: found.map(viewRule) };
      },
    },
    ValidatePullThroughCacheRule: {
      changes: false,
      answer: async (input, asking) => {
        const place = registryOfCall(asking, input);
        const prefix = input.ecrRepositoryPrefix;
        const { rule, validation } = await pullRules.validate(
          asking,
          { ...place, prefix },
          asking.signal,
        );
        return {
          ...viewIdentity(rule),
          upstreamRegistryUrl: rule.upstreamUrl,
          isValid: validation.valid,
          failure: validation.failure ?? undefined,
        };
      },
    },
  };
}

function viewRule(rule: MadeRule): PullThroughCacheRule {
  return {
    ...viewIdentity(rule),
    upstreamRegistryUrl: rule.upstreamUrl,
    upstreamRegistry: rule.upstreamRegistry as UpstreamRegistry | undefined,
    createdAt: timestamp(rule.createdAt),
    updatedAt: timestamp(rule.updatedAt),
  };
}

/** What every answer about a rule says. */
function viewIdentity({
  prefix,
  account,
  credentialArn,
  roleArn,
  upstreamPrefix,
}: MadeRule): Pick<
  PullThroughCacheRule,
  | 'ecrRepositoryPrefix'
  | 'registryId'
  | 'credentialArn'
  | 'customRoleArn'
  | 'upstreamRepositoryPrefix'
> {
  return {
    ecrRepositoryPrefix: prefix,
    registryId: account,
    credentialArn,
    customRoleArn: roleArn,
    upstreamRepositoryPrefix: upstreamPrefix,
  };
}
