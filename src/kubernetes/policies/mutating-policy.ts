import type { ImageMapping } from '../../domain/image-rewrite.ts';
import { changedImages, imageVariables } from './mapping-expressions.ts';
import type { PolicyScope } from './policy-scope.ts';
import { bindingOf, noMirrorPod, objectName } from './policy-scope.ts';
import type { ImageList } from './reference-expressions.ts';
import { podList } from './reference-expressions.ts';

export interface MutatingPolicyOptions {
  readonly mapping: ImageMapping;
  readonly scope: PolicyScope;
  /** `Ignore`: a pod whose images can't be rewritten starts with them as they are. `Fail`: it is refused. */
  readonly failurePolicy: 'Ignore' | 'Fail';
  /** `v1` from Kubernetes 1.36 on; `v1beta1` in 1.34 and 1.35, where the feature gate MutatingAdmissionPolicy and the API have to be switched on. */
  readonly version: 'v1' | 'v1beta1';
  /** Of the API server's own folder: names end in `.static.k8s.io`. */
  readonly isStatic: boolean;
}

const names = { pods: 'breakwater-images', debug: 'breakwater-debug-images' };

/**
 * Objects of admissionregistration.k8s.io that rewrite images of pods when these are made, and of the debug containers that are added later: policies
 * and their bindings, without which a policy does nothing. Throws `MappingTooLarge`.
 */
export function mutatingPolicies(options: MutatingPolicyOptions): readonly object[] {
  return [...podPolicy(options), ...debugPolicy(options)];
}

/** A pod's images are rewritten once, when it is made: an update that changes those of one that runs starts its containers anew. */
function podPolicy(options: MutatingPolicyOptions): readonly object[] {
  const fields = ['containers', 'initContainers', 'volumes'] as const;
  return policyOf(options, {
    name: names.pods,
    rule: { operations: ['CREATE'], resources: ['pods'] },
    lists: fields.map((field) => ({ field, expression: podList('object', field) })),
  });
}

/** The containers that were there before may not be changed. */
function debugPolicy(options: MutatingPolicyOptions): readonly object[] {
  const field = 'ephemeralContainers';
  const before = podList('oldObject', field);
  const expression = `${podList('object', field)}.filter(c, !${before}.exists(o, o.name == c.name))`;
  return policyOf(options, {
    name: names.debug,
    rule: { operations: ['UPDATE'], resources: ['pods/ephemeralcontainers'] },
    lists: [{ field, expression }],
  });
}

interface PolicyPart {
  readonly name: string;
  readonly rule: { readonly resources: readonly string[]; readonly operations: readonly string[] };
  readonly lists: readonly ImageList[];
}

function policyOf(
  { mapping, scope, failurePolicy, version, isStatic }: MutatingPolicyOptions,
  { name: plain, rule, lists }: PolicyPart,
): readonly object[] {
  const apiVersion = `admissionregistration.k8s.io/${version}`;
  const changes = lists.map((list) => `  ${list.field}: ${changedImages(list)}`);
  const expression = `Object{spec: Object.spec{\n${changes.join(',\n')}\n}}`;
  const name = objectName(plain, isStatic);
  return [
    {
      apiVersion,
      kind: 'MutatingAdmissionPolicy',
      metadata: { name },
      spec: {
        failurePolicy,
        // Containers that something else adds after it are seen too.
        reinvocationPolicy: 'IfNeeded',
        matchConstraints: { resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], ...rule }] },
        matchConditions: [noMirrorPod],
        variables: imageVariables(mapping, lists),
        mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
      },
    },
    bindingOf({ apiVersion, kind: 'MutatingAdmissionPolicyBinding', name, scope }),
  ];
}
