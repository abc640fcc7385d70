/** In which namespaces a policy holds. */
export interface PolicyScope {
  /** Names of namespaces; empty: every one. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Labels that a namespace must have. */
  readonly labels: Readonly<Record<string, string>>;
}

/** What the API server shows of a static pod: nothing reads its images. */
export const noMirrorPod = {
  name: 'no-mirror-pod',
  expression: "!('kubernetes.io/config.mirror' in object.metadata.?annotations.orValue({}))",
} as const;

/** Of the API server's own folder no other names are read. */
export function objectName(name: string, isStatic: boolean): string {
  return isStatic ? `${name}.static.k8s.io` : name;
}

export interface BindingParts {
  readonly apiVersion: string;
  readonly kind: string;
  /** Of the policy and of its binding. */
  readonly name: string;
  readonly scope: PolicyScope;
  readonly more?: object;
}

/** Without it a policy does nothing. */
export function bindingOf({ apiVersion, kind, name, scope, more }: BindingParts): object {
  const spec = { policyName: name, ...more, ...matchResources(scope) };
  return { apiVersion, kind, metadata: { name }, spec };
}

function matchResources({ include, exclude, labels }: PolicyScope): object {
  const key = 'kubernetes.io/metadata.name';
  const matchExpressions = [
    ...(include.length === 0 ? [] : [{ key, operator: 'In', values: include }]),
    ...(exclude.length === 0 ? [] : [{ key, operator: 'NotIn', values: exclude }]),
  ];
  const hasLabels = Object.keys(labels).length > 0;
  if (matchExpressions.length === 0 && !hasLabels) return {};
  return {
    matchResources: {
      namespaceSelector: {
        ...(hasLabels ? { matchLabels: labels } : {}),
        ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
      },
    },
  };
}
