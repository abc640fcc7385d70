import { stringify } from 'yaml';
import type { NodeFile, NodeSettings } from './node-settings.ts';
import { openMode, quoted } from './node-settings.ts';

const name = 'breakwater-credentials';
/** As the `audiences` of the issuer has it in the configuration of the server. */
const audience = 'breakwater';

/**
 * A credential plugin of the kubelet (1.34 and later), and its configuration: pods show the token of their service account to the registry, and to no other
 * host, since `matchImages` names it alone. A shell script, so that nothing is installed on a node. Kubelets may ask for such tokens by the role beside it.
 */
export function credentialProviderFiles({ mapping }: NodeSettings): readonly NodeFile[] {
  const { registryHost } = mapping;
  const provider = {
    name,
    apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
    matchImages: [registryHost],
    defaultCacheDuration: '0s',
    tokenAttributes: {
      serviceAccountTokenAudience: audience,
      cacheType: 'Token',
      requireServiceAccount: true,
    },
  };
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1',
    kind: 'CredentialProviderConfig',
    providers: [provider],
  };
  const folder = '/etc/kubernetes/credential-providers';
  return [
    { path: `${folder}/${name}`, text: script(registryHost), mode: 0o755 },
    {
      path: `${folder}.yaml`,
      text: `# kubelet --image-credential-provider-config=${folder}.yaml --image-credential-provider-bin-dir=${folder}\n${yamlOf(config)}`,
      mode: openMode,
    },
    {
      path: '/credential-provider-role.yaml',
      text: role.map(yamlOf).join('---\n'),
      mode: openMode,
    },
  ];
}

/** Answers with the token where the image is one of the registry's, and with nothing else whatever it is asked. */
function script(registryHost: string): string {
  return `#!/bin/sh
# What the kubelet asks stands on stdin as one JSON object; what it gets is user and password for ${registryHost} alone.
set -eu
request=$(cat | tr -d '\\n')
image=$(printf '%s' "$request" | sed -n 's/.*"image" *: *"\\([^"\\\\]*\\)".*/\\1/p')
token=$(printf '%s' "$request" | sed -n 's/.*"serviceAccountToken" *: *"\\([A-Za-z0-9._-]*\\)".*/\\1/p')
answer='{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderResponse","cacheKeyType":"Image","cacheDuration":"0s"'
case "$image" in
  ${quoted(registryHost)}/*) ;;
  *) token= ;;
esac
if [ -z "$token" ]; then
  printf '%s}\\n' "$answer"
else
  printf '%s,"auth":{"%s":{"username":"serviceaccount","password":"%s"}}}\\n' "$answer" ${quoted(registryHost)} "$token"
fi
`;
}

const role: readonly object[] = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name },
    rules: [
      {
        apiGroups: [''],
        resources: [audience],
        verbs: ['request-serviceaccounts-token-audience'],
      },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:nodes' }],
  },
];

function yamlOf(value: object): string {
  return stringify(value, { lineWidth: 0 });
}
