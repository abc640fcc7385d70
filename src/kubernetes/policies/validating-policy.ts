import { dockerHub, spellingsOf } from '../../domain/names/host-name.ts';
import type { ImageSource } from '../../domain/names/image-source.ts';
import { officialName, sourceText } from '../../domain/names/image-source.ts';
import type { PolicyScope } from './policy-scope.ts';
import { bindingOf, noMirrorPod, objectName } from './policy-scope.ts';
import type { PolicyVariable } from './reference-expressions.ts';
import {
  imageOf,
  imagesVariable,
  podList,
  quoted,
  readVariables,
} from './reference-expressions.ts';

/** Where images may come from: one host alone, or all but some. */
export type AllowedSources =
  | { readonly kind: 'only'; readonly host: string }
  | { readonly kind: 'not'; readonly sources: readonly ImageSource[] };

export interface ValidatingPolicyOptions {
  readonly allowed: AllowedSources;
  readonly scope: PolicyScope;
  /** Refuses pods; else they are warned of and stand in the API server's audit log. */
  readonly enforce: boolean;
  readonly isStatic: boolean;
}

const fields = ['containers', 'initContainers', 'ephemeralContainers', 'volumes'] as const;

/**
 * A ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1, on since Kubernetes 1.30) and its binding. Images are looked at when a pod is made, after what rewrites
 * them, and when one is changed or added: what runs already may be labelled and deleted whatever its images are.
 */
export function validatingPolicy(options: ValidatingPolicyOptions): readonly object[] {
  const { allowed, scope, enforce, isStatic } = options;
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const plain = allowed.kind === 'only' ? 'breakwater-only-from-registry' : 'breakwater-not-from';
  const name = objectName(plain, isStatic);
  const said = quoted(`${sentenceOf(allowed)}: `);
  return [
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name },
      spec: {
        failurePolicy: 'Ignore',
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: [''],
              apiVersions: ['v1'],
              operations: ['CREATE', 'UPDATE'],
              resources: ['pods', 'pods/ephemeralcontainers'],
            },
          ],
        },
        matchConditions: [noMirrorPod],
        variables: variablesOf(allowed),
        validations: [
          {
            expression: 'size(variables.refused) == 0',
            message: sentenceOf(allowed),
            messageExpression: `${said} + variables.refused.join(', ')`,
          },
        ],
      },
    },
    bindingOf({
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      name,
      scope,
      more: { validationActions: enforce ? ['Deny', 'Audit'] : ['Warn', 'Audit'] },
    }),
  ];
}

function variablesOf(allowed: AllowedSources): readonly PolicyVariable[] {
  const held = fields.map((field) => `${podList('oldObject', field)}.map(c, ${imageOf(field)})`);
  const before = `oldObject == null ? [] : ${held.join('\n  + ')}`;
  const lists = fields.map((field) => ({
    field,
    expression: `${podList('object', field)}.filter(c, ${imageOf(field)} != '' && !(${imageOf(field)} in variables.before))`,
  }));
  const aliases = spellingsOf(dockerHub).slice(1);
  const read =
    allowed.kind === 'only'
      ? [imagesVariable(lists)]
      : readVariables(lists, new Map(aliases.map((alias) => [alias, dockerHub])));
  return [
    { name: 'before', expression: before },
    ...read,
    { name: 'refused', expression: refusedBy(allowed) },
  ];
}

/** An expression of a list of images. What is no image's name can't be pulled from anywhere. */
function refusedBy(allowed: AllowedSources): string {
  if (allowed.kind === 'only') {
    const host = allowed.host.toLowerCase().replace(/:443$/, '');
    const good = [host, `${host}:443`].map((each) => `i[2].lowerAscii().startsWith('${each}/')`);
    return `variables.images.filter(i, !(${good.join(' || ')})).map(i, string(i[2]))`;
  }
  const bad = allowed.sources.map((source) => {
    const { host, path } = source;
    if (path === '') return `r[2] == '${host}'`;
    const names = [path, officialName(source)].filter((name) => name !== undefined);
    const named = names.map((name) => `r[3] == '${name}'`).join(' || ');
    return `r[2] == '${host}' && (${named} || r[3].startsWith('${path}/'))`;
  });
  const found = bad.map((each) => `(${each})`).join(' || ');
  return `variables.read.filter(r, ${found}).map(r, string(r[2] + '/' + r[3] + r[4]))`;
}

function sentenceOf(allowed: AllowedSources): string {
  if (allowed.kind === 'only') return `images that are not from ${allowed.host}`;
  return `images from ${allowed.sources.map(sourceText).join(', ')}`;
}
