import type { Label } from '../../domain/names/label.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { TemplateUse } from '../../domain/registries/creation-template.ts';
import type { RepositoryEncryption } from './rows.ts';

/** What a template gives to a repository; absent is ECR's default. */
export interface TemplateSettings {
  /** As it was given, with its slash. */
  readonly givenPrefix: string;
  readonly appliedFor: readonly TemplateUse[];
  readonly description?: string | undefined;
  readonly encryption?: RepositoryEncryption | undefined;
  readonly tags?: readonly Label[] | undefined;
  readonly tagMutability?: TagMutability | undefined;
  readonly policy?: string | undefined;
  readonly lifecycle?: string | undefined;
  readonly roleArn?: string | undefined;
}

export interface TemplateKey {
  readonly registry: RegistryKey;
  /** Without a slash at its end, or `ROOT`. */
  readonly prefix: string;
}

export interface TemplateRow extends TemplateKey {
  readonly settings: TemplateSettings;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What repositories take their settings from when a pull or a push makes them. */
export interface TemplateMetadata {
  findTemplate(key: TemplateKey): Promise<TemplateRow | undefined>;
  /** In byte order of their prefixes after `after`, at most `limit`. */
  listTemplates(
    registry: RegistryKey,
    after: string,
    limit: number,
  ): Promise<readonly TemplateRow[]>;
  /** The longest that matches the repository and is for this. */
  findTemplateFor(key: RepositoryKey, use: TemplateUse): Promise<TemplateRow | undefined>;

  /** `limit`: the registry has `templatesMax` of them. */
  createTemplate(input: {
    readonly template: TemplateRow;
    readonly templatesMax: number;
  }): Promise<'created' | 'exists' | 'limit'>;
  /** Members of `change` replace those that are there. The template as it is now; `undefined` where there is none. */
  updateTemplate(
    input: TemplateKey & { readonly change: Partial<TemplateSettings>; readonly now: number },
  ): Promise<TemplateRow | undefined>;
  /** As it was; `undefined` where there is none. */
  deleteTemplate(input: TemplateKey): Promise<TemplateRow | undefined>;
}
