import type { Generated, Kysely } from 'kysely';

/** The tables as `migrations/` leaves them. Times are wall milliseconds, booleans 0 or 1, digests and names text. */
export interface Schema {
  repositories: {
    id: Generated<number>;
    registry: string;
    name: string;
    private: number;
    stopped_at: number | null;
    stopped_reason: string | null;
    created_at: number;
    pushed: Generated<number>;
    /** JSON of the setting; null: mutable. */
    tag_mutability: string | null;
    policy: string | null;
    /** JSON of `RepositoryAttributes`; null: none. */
    attributes: Generated<string | null>;
  };
  /** Exact bytes, shared by every repository that holds the manifest. */
  manifest_contents: { digest: string; bytes: Uint8Array };
  manifests: {
    id: Generated<number>;
    repository_id: number;
    digest: string;
    media_type: string;
    size: number;
    /** What a referrer is listed by; null where there is no subject. */
    subject: string | null;
    artifact_type: string | null;
    /** JSON; null where there is no subject. */
    annotations: string | null;
    created_at: number;
    last_pulled_at: number;
    provenance: Generated<string>;
    /** Identity of the rule through which it came last; empty: it was pushed, or came before this was recorded. */
    rule: Generated<string>;
  };
  manifest_children: {
    manifest_id: number;
    position: number;
    repository_id: number;
    role: string;
    digest: string;
    media_type: string;
    size: number;
    os: string | null;
    architecture: string | null;
    variant: string | null;
    /** JSON array; null where the descriptor has none. */
    urls: string | null;
  };
  tags: {
    repository_id: number;
    tag: string;
    digest: string;
    media_type: string;
    size: number;
    source: string;
    validated_at: number;
    status: string;
    last_pulled_at: number;
    provenance: Generated<string>;
    pushed_at: number | null;
  };
  tag_history: {
    id: Generated<number>;
    repository_id: number;
    tag: string;
    digest: string;
    seen_at: number;
  };
  /** Blobs that a rule has fetched whole and verified, by the rule's identity. */
  rule_blobs: { registry: string; rule: string; digest: string; size: number; fetched_at: number };
  /** Blobs that were pushed or mounted here, or came through a rule in this very repository. */
  repository_blobs: {
    repository_id: number;
    digest: string;
    proven_at: number;
    pushed: Generated<number>;
    /** Identity of the rule through which it came last; empty where none did. */
    rule: Generated<string>;
  };
  lifecycle_policies: {
    repository_id: number;
    text: string;
    updated_at: number;
    /** Of this text; null: not yet. */
    evaluated_at: number | null;
    /** When it is evaluated next. */
    due_at: number;
  };
  /** The last preview of each repository. */
  lifecycle_previews: {
    repository_id: number;
    id: string;
    status: string;
    policy: string;
    started_at: number;
    ended_at: number | null;
    expiring: number;
    transitioning: number;
  };
  /** What a preview found, in the order of the digests, tagged images first; some hundred a row. */
  lifecycle_preview_pages: {
    repository_id: number;
    untagged: number;
    first_digest: string;
    /** JSON array. */
    results: string;
  };
  pull_records: {
    id: Generated<number>;
    registry: string;
    hour: number;
    client_address: string;
    ns: string;
    image: string;
    /** Empty where none is known. */
    digest: string;
    verdict: string;
    count: number;
    last_at: number;
  };
  /** Those beside the home account. */
  accounts: { id: string; name: string; created_at: number };
  principals: {
    account: string;
    name: string;
    kind: string;
    created_at: number;
    /** JSON array. */
    tags: string | null;
    /** Of roles alone, which are kept as `role/<name>`. */
    path: string | null;
    trust_policy: string | null;
    description: string | null;
    session_seconds_max: number | null;
    last_used_at: number | null;
  };
  access_keys: {
    id: string;
    account: string;
    /** Null: the account's root. */
    principal: string | null;
    /** Each key of a principal has its own; there are as many as keys are allowed. */
    slot: number;
    sealed_secret: string;
    active: number;
    created_at: number;
    expires_at: number | null;
    last_used_at: number | null;
  };
  tokens: {
    id: string;
    account: string;
    /** Null: the account's root. */
    principal: string | null;
    name: string;
    hash: string;
    /** JSON array. */
    scopes: string;
    created_at: number;
    expires_at: number | null;
    last_used_at: number | null;
  };
  identity_policies: {
    account: string;
    principal: string;
    name: string;
    text: string;
    updated_at: number;
  };
  /** Rules that were made through an API; those of the configuration are nowhere here. */
  pull_rules: {
    registry: string;
    /** What it is found by, aliases applied. */
    prefix: string;
    id: string;
    given_prefix: string;
    upstream_url: string;
    upstream_registry: string | null;
    upstream_prefix: string | null;
    credential_arn: string | null;
    role_arn: string | null;
    /** JSON. */
    settings: string;
    /** JSON: whose secret was read last, without what it says. */
    holder: string | null;
    created_at: number;
    updated_at: number;
  };
  managed_policies: {
    account: string;
    name: string;
    path: string;
    description: string;
    default_version: number;
    /** The highest number that a version had. */
    last_version: number;
    created_at: number;
    updated_at: number;
    /** JSON array. */
    tags: string | null;
  };
  managed_policy_versions: {
    account: string;
    name: string;
    version: number;
    text: string;
    created_at: number;
  };
  policy_attachments: {
    account: string;
    principal: string;
    /** Name of one of the account's own, or the ARN of one of AWS's. */
    policy: string;
    attached_at: number;
  };
  registry_policies: { registry: string; text: string; updated_at: number };
  creation_templates: {
    registry: string;
    prefix: string;
    /** JSON of `TemplateSettings`. */
    settings: string;
    created_at: number;
    updated_at: number;
  };
  registry_settings: { registry: string; name: string; value: string; updated_at: number };
  secrets: {
    registry: string;
    name: string;
    suffix: string;
    /** JSON of what the domain keeps of a secret. */
    state: string;
    /** When it can't be brought back any more; null: it is not deleted. */
    gone_at: number | null;
  };
  /** What was done and answered to calls that may be made again. */
  call_records: {
    call: string;
    /** `answer`, or a step. */
    part: string;
    at: number;
    /** JSON. */
    content: string;
  };
  secret_values: { registry: string; name: string; version: string; sealed: string };
  audit: {
    id: Generated<number>;
    at: number;
    kind: string;
    principal: string;
    action: string;
    resource: string;
    account: string;
    registry: string;
    outcome: string;
    address: string;
    request_id: string;
    detail: string;
    count: number;
  };
}

/** A connection for reads, or the transaction that a write runs in. Inside a transaction only SQL is awaited. */
export type Sql = Kysely<Schema>;
