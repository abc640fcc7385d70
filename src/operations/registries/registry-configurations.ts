import type { Asker, Audit } from '../../access/access.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { changeOf } from '../../access/audit/audit-entry.ts';
import { onceRead } from '../../coordination/call-attempt.ts';
import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import { requireReplication } from '../../domain/registries/replication.ts';
import type { ReplicationConfiguration } from '../../domain/registries/replication.ts';
import { defaultScanning, requireScanning, scanningOf } from '../../domain/registries/scanning.ts';
import type { AppliedScanning, ScanningConfiguration } from '../../domain/registries/scanning.ts';
import type { SigningConfiguration } from '../../domain/registries/signing.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Places, RegistryInput, RepositoryInput } from '../places.ts';

interface Given<Configuration> {
  readonly configuration: Configuration;
}

/** What a registry replicates, scans and signs, as it is configured. Each throws `RegistryError`. */
export interface RegistryConfigurations {
  replication(asker: Asker, input: RegistryInput): Promise<ReplicationConfiguration>;
  /** The registry as it was asked is no destination of itself. */
  setReplication(
    asker: Asker,
    input: Required<RegistryInput> & Given<ReplicationConfiguration>,
  ): Promise<void>;
  scanning(asker: Asker, input: RegistryInput): Promise<ScanningConfiguration>;
  setScanning(asker: Asker, input: RegistryInput & Given<ScanningConfiguration>): Promise<void>;
  /** What the configuration means for one repository. */
  scanningOf(asker: Asker, input: RepositoryInput): Promise<AppliedScanning>;
  /** `nameUnknown` where there is none. */
  signing(asker: Asker, input: RegistryInput): Promise<SigningConfiguration>;
  setSigning(asker: Asker, input: RegistryInput & Given<SigningConfiguration>): Promise<void>;
  /** Answers the one that was there. */
  deleteSigning(asker: Asker, input: RegistryInput): Promise<SigningConfiguration>;
  /** What concerns images, for who was found to have the right to ask of one. */
  kept(registry: RegistryKey): Promise<{
    readonly replication: ReplicationConfiguration;
    readonly signing: SigningConfiguration;
  }>;
}

export interface RegistryConfigurationsParts {
  readonly admission: Pick<Admission, 'requireInRegistry' | 'require'>;
  readonly places: Places;
  readonly metadata: Pick<Metadata, 'repositories'>;
  readonly audit: Audit;
  readonly clock: Clock;
}

export function createRegistryConfigurations(
  parts: RegistryConfigurationsParts,
): RegistryConfigurations {
  const replication = keptAs<ReplicationConfiguration>(parts, 'replication');
  const signing = keptAs<SigningConfiguration>(parts, 'signing');
  const none = { rules: [] };
  return {
    ...replicationOf(parts),
    ...scanningOperations(parts),
    ...signingOf(parts),
    kept: async (registry) => ({
      replication: (await replication.find(registry)) ?? none,
      signing: (await signing.find(registry)) ?? none,
    }),
  };
}

function replicationOf(
  parts: RegistryConfigurationsParts,
): Pick<RegistryConfigurations, 'replication' | 'setReplication'> {
  const kept = keptAs<ReplicationConfiguration>(parts, 'replication');
  return {
    replication: async (asker, input) =>
      (await kept.read(asker, input, actions.describeRegistry)) ?? { rules: [] },
    setReplication: (asker, { configuration, ...input }) =>
      kept.write(asker, input, actions.putReplicationConfiguration, configuration, () => {
        const account = parts.places.accountOf(input, asker);
        requireReplication(configuration, { account, region: input.region ?? '' });
      }),
  };
}

function scanningOperations(
  parts: RegistryConfigurationsParts,
): Pick<RegistryConfigurations, 'scanning' | 'setScanning' | 'scanningOf'> {
  const { admission, places, metadata } = parts;
  const kept = keptAs<ScanningConfiguration>(parts, 'scanning');
  return {
    scanning: async (asker, input) =>
      (await kept.read(asker, input, actions.getRegistryScanningConfiguration)) ?? defaultScanning,
    setScanning: (asker, { configuration, ...input }) =>
      kept.write(asker, input, actions.putRegistryScanningConfiguration, configuration, () =>
        requireScanning(configuration),
      ),
    scanningOf: async (asker, input) => {
      const place = places.place(input, asker);
      const { registry, target } = place;
      await admission.require(asker, place, [actions.batchGetRepositoryScanningConfiguration]);
      const { repository } = target;
      const row = await metadata.repositories.findRepository({ registry, repository });
      if (row === undefined) throw repositoryUnknown(repository);
      const configuration = (await kept.find(registry)) ?? defaultScanning;
      return scanningOf(configuration, repository, row.attributes?.scanOnPush ?? false);
    },
  };
}

function signingOf(
  parts: RegistryConfigurationsParts,
): Pick<RegistryConfigurations, 'signing' | 'setSigning' | 'deleteSigning'> {
  const kept = keptAs<SigningConfiguration>(parts, 'signing');
  const none = (registry: RegistryKey): RegistryError =>
    new RegistryError('nameUnknown', `the registry ${registry} has no signing configuration`, {
      kind: 'signingConfigurationUnknown',
    });
  return {
    signing: async (asker, input) => {
      const found = await kept.read(asker, input, actions.getSigningConfiguration);
      if (found === undefined) throw none(parts.places.registry(input, asker));
      return found;
    },
    setSigning: (asker, { configuration, ...input }) =>
      kept.write(asker, input, actions.putSigningConfiguration, configuration),
    deleteSigning: async (asker, input) => {
      const registry = parts.places.registry(input, asker);
      let before: SigningConfiguration | undefined;
      await kept.write(asker, input, actions.deleteSigningConfiguration, undefined, async () => {
        before = await onceRead('deleted', () => kept.find(registry));
        if (before === undefined) throw none(registry);
      });
      if (before === undefined) throw none(registry);
      return before;
    },
  };
}

/** One configuration of a registry, kept under a name. */
interface Kept<Configuration> {
  find(registry: RegistryKey): Promise<Configuration | undefined>;
  read(asker: Asker, input: RegistryInput, action: Action): Promise<Configuration | undefined>;
  /** `check` throws for what may not be written, after the right was asked for. */
  write(
    asker: Asker,
    input: RegistryInput,
    action: Action,
    configuration: Configuration | undefined,
    check?: () => void | Promise<void>,
  ): Promise<void>;
}

function keptAs<Configuration>(
  { admission, places, metadata, audit, clock }: RegistryConfigurationsParts,
  name: string,
): Kept<Configuration> {
  const find: Kept<Configuration>['find'] = async (registry) => {
    const text = await metadata.repositories.findRegistrySetting(registry, name);
    return text === undefined ? undefined : (JSON.parse(text) as Configuration);
  };
  return {
    find,
    read: async (asker, input, action) => {
      const registry = places.registry(input, asker);
      await admission.requireInRegistry(asker, action, registry);
      return await find(registry);
    },
    write: async (asker, input, action, configuration, check) => {
      const registry = places.registry(input, asker);
      await admission.requireInRegistry(asker, action, registry);
      await check?.();
      const value = configuration === undefined ? undefined : JSON.stringify(configuration);
      await metadata.repositories.setRegistrySetting({ registry, name, value, now: clock.now() });
      audit.record(changeOf(asker, action, { registry, resource: '' }));
    },
  };
}
