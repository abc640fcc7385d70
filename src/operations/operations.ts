import type { Audit, Authorizer } from '../access/access.ts';
import type { Identities } from '../access/accounts/identities.ts';
import type { Roles } from '../access/accounts/roles.ts';
import type { ManagedPolicies } from '../access/accounts/managed-policies.ts';
import type { Policies } from '../access/accounts/policies.ts';
import { createAdmission } from '../access/admission/admission.ts';
import type { Admission } from '../access/admission/admission.ts';
import type { VisibleRepositories } from '../access/authorize/visible-repositories.ts';
import type { Sealing } from '../access/secrets/key-store.ts';
import type { Cache } from '../cache/cache.ts';
import type { MadeRepositories } from '../cache/memory/made-repositories.ts';
import type { CountRecords } from '../cache/whose-bytes.ts';
import type { Pushes } from '../cache/push/pushes.ts';
import { clockOfCalls } from '../coordination/call-attempt.ts';
import { homeRegistryOf } from '../domain/names/registry.ts';
import type { RegistryKey, RegistrySettings } from '../domain/names/registry.ts';
import type { RulesOf } from '../domain/rules/rule-set.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { Clock } from '../ports/clock.ts';
import type { Upstream } from '../ports/upstream.ts';
import { createAccessViews } from './access-views.ts';
import type { AccessViews, AccessViewsParts } from './access-views.ts';
import { createCacheViews } from './cache-views.ts';
import type { CacheViews, CacheViewsParts } from './cache-views.ts';
import { createContentChanges } from './content-changes.ts';
import type { ContentChanges } from './content-changes.ts';
import { createIdentityOperations } from './identities.ts';
import type { IdentityOperations } from './identities.ts';
import { createImageBatches } from './images/image-batches.ts';
import type { ImageBatches } from './images/image-batches.ts';
import { createImageContent } from './images/image-content.ts';
import type { ImageContent } from './images/image-content.ts';
import { createImageListings } from './images/image-listings.ts';
import type { ImageListings } from './images/image-listings.ts';
import { createImageStatuses } from './images/image-statuses.ts';
import type { ImageStatuses } from './images/image-statuses.ts';
import { createKeyOperations } from './keys/keys.ts';
import type { KeyOperations, KeysParts } from './keys/keys.ts';
import { createLayerDownloads } from './images/layer-downloads.ts';
import type { LayerDownloads, LayerDownloadsParts } from './images/layer-downloads.ts';
import { createImages } from './images/images.ts';
import type { Images } from './images/images.ts';
import { createLifecycleOperations } from './lifecycles.ts';
import type { LifecycleOperations, LifecyclesParts } from './lifecycles.ts';
import { createManagedPolicyOperations } from './policies/managed-policies.ts';
import type { ManagedPolicyOperations } from './policies/managed-policies.ts';
import { createPlaces } from './places.ts';
import type { Places } from './places.ts';
import { createPolicyAttachments } from './policies/policy-attachments.ts';
import type { PolicyAttachmentOperations } from './policies/policy-attachments.ts';
import { createPolicyOperations } from './policies.ts';
import type { PolicyOperations } from './policies.ts';
import { createPullTimeExclusions } from './registries/pull-time-exclusions.ts';
import type { PullTimeExclusions } from './registries/pull-time-exclusions.ts';
import { createReplicationBackfills } from './registries/replication-backfills.ts';
import type { ReplicationBackfills } from './registries/replication-backfills.ts';
import { createPulls } from './pulls.ts';
import type { Pulls } from './pulls.ts';
import { createRepositories } from './repositories.ts';
import type { Repositories } from './repositories.ts';
import { createCreationTemplates } from './registries/creation-templates.ts';
import type { CreationTemplates } from './registries/creation-templates.ts';
import { createTemplateApplications } from './repositories/template-applications.ts';
import type { TemplateApplications } from './repositories/template-applications.ts';
import { createRegistryConfigurations } from './registries/registry-configurations.ts';
import type { RegistryConfigurations } from './registries/registry-configurations.ts';
import { createRegistrySettings } from './registries/registry-settings.ts';
import type { RegistrySettingOperations } from './registries/registry-settings.ts';
import type { SecretsParts } from './secrets/located-secret.ts';
import { createSecretOperations } from './secrets/secrets.ts';
import type { SecretOperations } from './secrets/secrets.ts';
import { createRepositoryCleanUps } from './repositories/clean-ups.ts';
import type { RepositoryCleanUps } from './repositories/clean-ups.ts';
import { createRepositoryAttributes } from './repository-attributes.ts';
import type { RepositoryAttributeOperations } from './repository-attributes.ts';
import { createRoleOperations } from './roles/roles.ts';
import type { RoleOperations } from './roles/roles.ts';
import { createSessionOperations } from './roles/sessions.ts';
import type { SessionOperations, SessionsParts } from './roles/sessions.ts';
import { createRuleOperations } from './rules/rules.ts';
import type { RuleOperations, RulesParts } from './rules/rules.ts';

export interface OperationsParts {
  readonly rules: RulesOf;
  /** The home account and the regions, as configured now. */
  readonly registries: () => RegistrySettings;
  readonly metadata: Pick<
    Metadata,
    | 'repositories'
    | 'manifests'
    | 'tags'
    | 'blobs'
    | 'lifecycles'
    | 'identities'
    | 'managedPolicies'
    | 'roles'
    | 'records'
    | 'rules'
    | 'templates'
    | 'secrets'
    | 'sealed'
  >;
  readonly cache: Cache;
  readonly pushes: Pushes;
  readonly counting: CountRecords;
  readonly made: Pick<MadeRepositories, 'take'>;
  readonly explain: CacheViewsParts['explain'];
  readonly refresh: CacheViewsParts['refresh'];
  readonly book: RulesParts['book'];
  readonly secrets: RulesParts['secrets'];
  readonly fileSecrets: SecretsParts['fileSecrets'];
  /** Where rules that are made through an API may lead. */
  readonly upstreams: RulesParts['upstreams'];
  readonly invalidations: RulesParts['invalidations'];
  readonly upstream: Upstream;
  readonly authorizer: Authorizer;
  readonly visibleRepositories: VisibleRepositories;
  readonly accounts: Identities;
  readonly roles: Roles;
  readonly storedPolicies: Policies;
  readonly managedPolicies: ManagedPolicies;
  readonly webIdentities: SessionsParts['webIdentities'];
  readonly markOwnKey: SessionsParts['markOwnKey'];
  readonly ecrPassword: AccessViewsParts['ecrPassword'];
  readonly lifecycleGrammar: LifecyclesParts['lifecycleGrammar'];
  readonly downloadTokens: LayerDownloadsParts['downloadTokens'];
  /** Seals the values of secrets, and download tickets. */
  readonly sealing: Sealing;
  readonly serverKeys: KeysParts['serverKeys'];
  readonly audit: Audit;
  readonly clock: Clock;
}

/** All that front-ends ask for, each with the right to it: of one server, shared by its front-ends. */
export interface Operations {
  readonly admission: Admission;
  readonly places: Places;
  readonly pulls: Pulls;
  readonly contentChanges: ContentChanges;
  readonly repositories: Repositories;
  readonly repositoryCleanUps: RepositoryCleanUps;
  readonly repositoryAttributes: RepositoryAttributeOperations;
  readonly registrySettings: RegistrySettingOperations;
  readonly registryConfigurations: RegistryConfigurations;
  readonly pullTimeExclusions: PullTimeExclusions;
  readonly replicationBackfills: ReplicationBackfills;
  readonly creationTemplates: CreationTemplates;
  readonly templateApplications: TemplateApplications;
  readonly images: Images;
  readonly imageListings: ImageListings;
  readonly imageBatches: ImageBatches;
  readonly imageContent: ImageContent;
  readonly imageStatuses: ImageStatuses;
  readonly layerDownloads: LayerDownloads;
  readonly identities: IdentityOperations;
  readonly roles: RoleOperations;
  readonly sessions: SessionOperations;
  readonly policies: PolicyOperations;
  readonly managedPolicies: ManagedPolicyOperations;
  readonly policyAttachments: PolicyAttachmentOperations;
  readonly lifecycles: LifecycleOperations;
  readonly accessViews: AccessViews;
  readonly cacheViews: CacheViews;
  readonly pullRules: RuleOperations;
  readonly secrets: SecretOperations;
  readonly keys: KeyOperations;
}

export function createOperations(given: OperationsParts): Operations {
  const parts = { ...given, clock: clockOfCalls(given.clock) };
  const home = (): RegistryKey => homeRegistryOf(parts.registries());
  const admission = createAdmission({ ...parts, home });
  const places = createPlaces(parts);
  const shared = { ...parts, admission, places };
  const contentChanges = createContentChanges(shared);
  const pulls = createPulls(shared);
  const imageListings = createImageListings(shared);
  const repositories = createRepositories(shared);
  const repositoryAttributes = createRepositoryAttributes(shared);
  const lifecycles = createLifecycleOperations(shared);
  const policies = createPolicyOperations({ ...shared, stored: parts.storedPolicies });
  const registryConfigurations = createRegistryConfigurations(shared);
  return {
    admission,
    places,
    pulls,
    contentChanges,
    repositories,
    repositoryCleanUps: createRepositoryCleanUps({ ...shared, repositories }),
    repositoryAttributes,
    registrySettings: createRegistrySettings(shared),
    registryConfigurations,
    pullTimeExclusions: createPullTimeExclusions(shared),
    replicationBackfills: createReplicationBackfills(shared),
    creationTemplates: createCreationTemplates(shared),
    templateApplications: createTemplateApplications({
      ...shared,
      repositories,
      repositoryAttributes,
      lifecycles,
      policies,
    }),
    images: createImages({ ...shared, contentChanges }),
    imageListings,
    imageBatches: createImageBatches({ ...shared, contentChanges, pulls }),
    imageContent: createImageContent({ ...shared, contentChanges, pulls }),
    imageStatuses: createImageStatuses({ places, imageListings, registryConfigurations }),
    layerDownloads: createLayerDownloads({ ...shared, pulls }),
    identities: createIdentityOperations(shared),
    roles: createRoleOperations(shared),
    sessions: createSessionOperations({ ...shared, home }),
    lifecycles,
    policies,
    managedPolicies: createManagedPolicyOperations(shared),
    policyAttachments: createPolicyAttachments(shared),
    accessViews: createAccessViews(shared),
    cacheViews: createCacheViews(shared),
    secrets: createSecretOperations(shared),
    keys: createKeyOperations(shared),
    pullRules: createRuleOperations(shared),
  };
}
