/** The kinds of upstream that Amazon ECR knows, by the names of its API. */
export const ruleKinds = [
  'ecr',
  'ecr-public',
  'quay',
  'k8s',
  'docker-hub',
  'github-container-registry',
  'azure-container-registry',
  'gitlab-container-registry',
  'chainguard',
] as const;

export type RuleKind = (typeof ruleKinds)[number];

interface KindOfUpstream {
  readonly kind: RuleKind;
  /** The whole host, lower case. */
  readonly host: RegExp;
  /** Whether ECR makes no rule of this kind without a secret. */
  readonly needsSecret: boolean;
}

const kinds: readonly KindOfUpstream[] = [
  { kind: 'ecr-public', host: /^public\.ecr\.aws$/, needsSecret: false },
  { kind: 'k8s', host: /^registry\.k8s\.io$/, needsSecret: false },
  { kind: 'quay', host: /^quay\.io$/, needsSecret: false },
  { kind: 'docker-hub', host: /^registry-1\.docker\.io$/, needsSecret: true },
  { kind: 'github-container-registry', host: /^ghcr\.io$/, needsSecret: true },
  { kind: 'azure-container-registry', host: /^[a-z0-9-]{1,63}\.azurecr\.io$/, needsSecret: true },
  { kind: 'gitlab-container-registry', host: /^registry\.gitlab\.com$/, needsSecret: true },
  { kind: 'chainguard', host: /^cgr\.dev$/, needsSecret: true },
  {
    kind: 'ecr',
    host: /^\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]{2,25}\.amazonaws\.com(?:\.cn)?$/,
    needsSecret: false,
  },
];

/** The kind of an upstream by its host, lower case; `undefined` for a registry that ECR does not know. */
export function ruleKindOf(host: string): RuleKind | undefined {
  return kinds.find((each) => each.host.test(host))?.kind;
}

/** Whether ECR demands a secret for it. */
export function needsSecret(kind: RuleKind): boolean {
  return kinds.find((each) => each.kind === kind)?.needsSecret ?? false;
}
