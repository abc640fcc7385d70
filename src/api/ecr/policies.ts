import { registryOfCall, repositoryOfCall } from './parts.ts';
import type { EcrParts, EcrRows } from './parts.ts';

/** Policies of repositories and of the registry: their texts go in and come out verbatim. */
export function policyRows({ policies }: Pick<EcrParts, 'policies'>): EcrRows {
  return { ...repositoryRows(policies), ...registryRows(policies) };
}

function repositoryRows(policies: EcrParts['policies']): EcrRows {
  const view = (
    { repositoryName }: { readonly repositoryName: string },
    { account, policy }: { readonly account: string; readonly policy: string },
  ) => ({ registryId: account, repositoryName, policyText: policy });
  return {
    SetRepositoryPolicy: {
      changes: true,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const policy = input.policyText;
        return view(input, await policies.setOfRepository(asking, { ...place, policy }));
      },
    },
    GetRepositoryPolicy: {
      changes: false,
      answer: async (input, asking) =>
        view(input, await policies.ofRepository(asking, repositoryOfCall(asking, input))),
    },
    DeleteRepositoryPolicy: {
      changes: true,
      answer: async (input, asking) =>
        view(input, await policies.deleteOfRepository(asking, repositoryOfCall(asking, input))),
    },
  };
}

function registryRows(policies: EcrParts['policies']): EcrRows {
  const view = ({ account, policy }: { readonly account: string; readonly policy: string }) => ({
    registryId: account,
    policyText: policy,
  });
  return {
    PutRegistryPolicy: {
      changes: true,
      answer: async ({ policyText: policy }, asking) =>
        view(await policies.setOfRegistry(asking, { ...registryOfCall(asking), policy })),
    },
    GetRegistryPolicy: {
      changes: false,
      answer: async (_input, asking) =>
        view(await policies.ofRegistry(asking, registryOfCall(asking))),
    },
    DeleteRegistryPolicy: {
      changes: true,
      answer: async (_input, asking) =>
        view(await policies.deleteOfRegistry(asking, registryOfCall(asking))),
    },
  };
}
