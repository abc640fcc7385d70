// Policies that an API server reads from a folder of its own, by a feature gate of 1.36.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { policyText } from '../../../src/kubernetes/policies/policy-text.ts';

/** Writes objects and the admission configuration of their plugin into a folder; answers the flags of kube-apiserver. */
export async function staticFlags(
  folder: string,
  plugin: 'MutatingAdmissionPolicy' | 'ValidatingAdmissionPolicy',
  objects: readonly object[],
): Promise<readonly string[]> {
  const manifests = join(folder, 'manifests');
  await mkdir(manifests);
  await writeFile(
    join(manifests, 'policy.yaml'),
    policyText(objects, { command: 'it', notes: [] }),
  );
  const apiVersion = 'apiserver.config.k8s.io/v1';
  const configuration = {
    apiVersion,
    kind: `${plugin}Configuration`,
    staticManifestsDir: manifests,
  };
  const admission = join(folder, 'admission.yaml');
  const plugins = [{ name: plugin, configuration }];
  await writeFile(admission, stringify({ apiVersion, kind: 'AdmissionConfiguration', plugins }));
  return [
    '--feature-gates=ManifestBasedAdmissionControlConfig=true',
    `--admission-control-config-file=${admission}`,
  ];
}
