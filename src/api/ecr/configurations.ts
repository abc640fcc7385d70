import { RegistryError } from '../../domain/errors.ts';
import type { ReplicationConfiguration as Replication } from '../../domain/registries/replication.ts';
import type { ScanningConfiguration as Scanning } from '../../domain/registries/scanning.ts';
import type { SigningConfiguration as Signing } from '../../domain/registries/signing.ts';
import type { AwsAsking } from '../aws/service-table.ts';
import type {
  RegistryScanningConfiguration,
  ReplicationConfiguration,
  RepositoryScanningConfiguration,
  RepositoryScanningConfigurationFailure,
  ScanningRepositoryFilter,
  SigningConfiguration,
} from './model.ts';
import { arnInAnswer, registryOfCall } from './parts.ts';
import type { EcrParts, EcrRows } from './parts.ts';

type Parts = Pick<EcrParts, 'registryConfigurations'>;

/** What a registry replicates, scans and signs, as it is configured. */
export function configurationRows(parts: Parts): EcrRows {
  return { ...replicationRows(parts), ...scanningRows(parts), ...signingRows(parts) };
}

function replicationRows({ registryConfigurations }: Parts): EcrRows {
  return {
    DescribeRegistry: {
      changes: false,
      answer: async (_input, asking) => {
        const found = await registryConfigurations.replication(asking, registryOfCall(asking));
        return {
          registryId: asking.account,
          replicationConfiguration: viewReplication(found),
        };
      },
    },
    PutReplicationConfiguration: {
      changes: true,
      answer: async ({ replicationConfiguration }, asking) => {
        const configuration = replicationOf(replicationConfiguration);
        const registry = registryOfCall(asking);
        await registryConfigurations.setReplication(asking, { ...registry, configuration });
        return { replicationConfiguration: viewReplication(configuration) };
      },
    },
  };
}

function replicationOf({ rules }: ReplicationConfiguration): Replication {
  return {
    rules: rules.map(({ destinations, repositoryFilters: filters, deleteReplication }) => ({
      destinations: destinations.map(({ registryId: account, region }) => ({ account, region })),
      ...(filters === undefined ? {} : { prefixes: filters.map(({ filter }) => filter) }),
      ...(deleteReplication === undefined ? {} : { deletions: deleteReplication.enabled }),
    })),
  };
}

function viewReplication({ rules }: Replication): ReplicationConfiguration {
  return {
    rules: rules.map(({ destinations, prefixes, deletions }) => ({
      destinations: destinations.map(({ account, region }) => ({ region, registryId: account })),
      repositoryFilters: prefixes?.map((filter) => ({ filter, filterType: 'PREFIX_MATCH' })),
      deleteReplication: deletions === undefined ? undefined : { enabled: deletions },
    })),
  };
}

function scanningRows(parts: Parts): EcrRows {
  const { registryConfigurations } = parts;
  return {
    GetRegistryScanningConfiguration: {
      changes: false,
      answer: async (_input, asking) => {
        const found = await registryConfigurations.scanning(asking, registryOfCall(asking));
        return { registryId: asking.account, scanningConfiguration: viewScanning(found) };
      },
    },
    PutRegistryScanningConfiguration: {
      changes: true,
      answer: async ({ scanType: type = 'BASIC', rules = [] }, asking) => {
        const configuration: Scanning = {
          type,
          rules: rules.map(({ scanFrequency: frequency, repositoryFilters }) => ({
            frequency,
            filters: repositoryFilters.map(({ filter }) => filter),
          })),
        };
        const registry = registryOfCall(asking);
        await registryConfigurations.setScanning(asking, { ...registry, configuration });
        return { registryScanningConfiguration: viewScanning(configuration) };
      },
    },
    BatchGetRepositoryScanningConfiguration: {
      changes: false,
      answer: async ({ repositoryNames }, asking) => {
        const scanningConfigurations: RepositoryScanningConfiguration[] = [];
        const failures: RepositoryScanningConfigurationFailure[] = [];
        for (const repository of repositoryNames) {
          const found = await scanningOf(parts, asking, repository);
          if ('failureCode' in found) failures.push(found);
          else scanningConfigurations.push(found);
        }
        return { scanningConfigurations, failures };
      },
    },
  };
}

/** A repository that is not there fails for itself alone. */
async function scanningOf(
  { registryConfigurations }: Parts,
  asking: AwsAsking,
  repository: string,
): Promise<RepositoryScanningConfiguration | RepositoryScanningConfigurationFailure> {
  const place = { ...registryOfCall(asking), repository };
  try {
    const { frequency, filters } = await registryConfigurations.scanningOf(asking, place);
    return {
      repositoryArn: arnInAnswer(asking, asking.account, repository),
      repositoryName: repository,
      scanOnPush: frequency === 'SCAN_ON_PUSH',
      scanFrequency: frequency,
      appliedScanFilters: filters.map(wildcard),
    };
  } catch (error) {
    if (!(error instanceof RegistryError) || error.kind !== 'repositoryUnknown') throw error;
    return {
      repositoryName: repository,
      failureCode: 'REPOSITORY_NOT_FOUND',
      failureReason: `The repository with name '${repository}' does not exist in the registry with id '${asking.account}'`,
    };
  }
}

function wildcard(filter: string): ScanningRepositoryFilter {
  return { filter, filterType: 'WILDCARD' };
}

function viewScanning({ type, rules }: Scanning): RegistryScanningConfiguration {
  return {
    scanType: type,
    rules: rules.map(({ frequency, filters }) => ({
      scanFrequency: frequency,
      repositoryFilters: filters.map(wildcard),
    })),
  };
}

function signingRows({ registryConfigurations }: Parts): EcrRows {
  return {
    GetSigningConfiguration: {
      changes: false,
      answer: async (_input, asking) => {
        const found = await registryConfigurations.signing(asking, registryOfCall(asking));
        return { registryId: asking.account, signingConfiguration: viewSigning(found) };
      },
    },
    PutSigningConfiguration: {
      changes: true,
      answer: async ({ signingConfiguration }, asking) => {
        const configuration = signingOf(signingConfiguration);
        const registry = registryOfCall(asking);
        await registryConfigurations.setSigning(asking, { ...registry, configuration });
        return { signingConfiguration: viewSigning(configuration) };
      },
    },
    DeleteSigningConfiguration: {
      changes: true,
      answer: async (_input, asking) => {
        const registry = registryOfCall(asking);
        const found = await registryConfigurations.deleteSigning(asking, registry);
        return { registryId: asking.account, signingConfiguration: viewSigning(found) };
      },
    },
  };
}

function signingOf({ rules }: SigningConfiguration): Signing {
  return {
    rules: rules.map(({ signingProfileArn: profile, repositoryFilters: filters }) => ({
      profile,
      ...(filters === undefined ? {} : { filters: filters.map(({ filter }) => filter) }),
    })),
  };
}

function viewSigning({ rules }: Signing): SigningConfiguration {
  return {
    rules: rules.map(({ profile, filters }) => ({
      signingProfileArn: profile,
      repositoryFilters: filters?.map((filter) => ({ filter, filterType: 'WILDCARD_MATCH' })),
    })),
  };
}
