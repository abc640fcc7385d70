import type { Selectable } from 'kysely';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RuleSettings } from '../../domain/rules/rule-settings.ts';
import type { CredentialHolder, PullRuleRow } from '../contract/rows.ts';
import type { Schema } from '../sql/schema.ts';

type StoredRow = Selectable<Schema['pull_rules']>;

export function pullRuleOf(row: StoredRow): PullRuleRow {
  return {
    registry: row.registry as RegistryKey,
    prefix: row.prefix,
    id: row.id,
    givenPrefix: row.given_prefix,
    upstreamUrl: row.upstream_url,
    upstreamRegistry: row.upstream_registry ?? undefined,
    upstreamPrefix: row.upstream_prefix ?? undefined,
    credentialArn: row.credential_arn ?? undefined,
    roleArn: row.role_arn ?? undefined,
    settings: JSON.parse(row.settings) as RuleSettings,
    holder: row.holder === null ? undefined : holderOf(row.holder),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** What is absent is no member of the JSON. */
function holderOf(text: string): CredentialHolder {
  const { secret, username, account } = JSON.parse(text) as CredentialHolder;
  return { secret, username, account };
}

export function rowOfPullRule(rule: PullRuleRow): StoredRow {
  return {
    registry: rule.registry,
    prefix: rule.prefix,
    id: rule.id,
    given_prefix: rule.givenPrefix,
    upstream_url: rule.upstreamUrl,
    upstream_registry: rule.upstreamRegistry ?? null,
    upstream_prefix: rule.upstreamPrefix ?? null,
    credential_arn: rule.credentialArn ?? null,
    role_arn: rule.roleArn ?? null,
    settings: JSON.stringify(rule.settings),
    holder: rule.holder === undefined ? null : JSON.stringify(rule.holder),
    created_at: rule.createdAt,
    updated_at: rule.updatedAt,
  };
}
