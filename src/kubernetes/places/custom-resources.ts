// Fields that hold an image beside the lists of containers: what pipelines, releases and clusters are described by.
import type { SpecialFields } from './special-fields.ts';

const workflowTemplate = (at: string): readonly string[] =>
  [
    'container',
    'script',
    'sidecars[]',
    'initContainers[]',
    'containerSet.containers[]',
    'data.source.container',
  ]
    .map((part) => `${at}templates[].${part}.image`)
    .concat(`${at}templateDefaults.container.image`, `${at}templateDefaults.script.image`);

const tektonTask = (at: string): readonly string[] =>
  ['steps[]', 'sidecars[]', 'stepTemplate'].map((part) => `${at}${part}.image`);

const kubeadmCluster = (at: string): readonly string[] =>
  ['imageRepository', 'etcd.local.imageRepository', 'dns.imageRepository'].map((part) => at + part);

const kubeadmNote =
  'kubeadm asks for coredns right under imageRepository once that is not registry.k8s.io: set dns.imageRepository to the same with /coredns behind it';

export const deliveryFields: readonly SpecialFields[] = [
  {
    group: 'monitoring.coreos.com',
    kinds: ['Prometheus', 'PrometheusAgent', 'Alertmanager', 'ThanosRuler'],
    images: ['spec.image', 'spec.thanos.image'],
    prefixes: ['spec.baseImage', 'spec.thanos.baseImage'],
    source: 'prometheus-operator Documentation/api-reference/api.md',
    date: '2026-11-30',
  },
  {
    group: 'argoproj.io',
    kinds: ['Workflow', 'WorkflowTemplate', 'ClusterWorkflowTemplate'],
    images: workflowTemplate('spec.'),
    source: 'argo-workflows docs/fields.md',
    date: '2026-11-30',
  },
  {
    group: 'argoproj.io',
    kinds: ['CronWorkflow'],
    images: workflowTemplate('spec.workflowSpec.'),
    source: 'argo-workflows docs/fields.md',
    date: '2026-11-30',
  },
  {
    group: 'argoproj.io',
    kinds: ['Application'],
    values: ['spec.source.helm.valuesObject', 'spec.sources[].helm.valuesObject'],
    valuesTexts: ['spec.source.helm.values', 'spec.sources[].helm.values'],
    parameters: ['spec.source.helm.parameters', 'spec.sources[].helm.parameters'],
    kustomizeImages: ['spec.source.kustomize.images', 'spec.sources[].kustomize.images'],
    source: 'argo-cd docs/user-guide/helm.md, kustomize.md',
    date: '2026-11-30',
  },
  {
    group: 'argoproj.io',
    kinds: ['ApplicationSet'],
    values: [
      'spec.template.spec.source.helm.valuesObject',
      'spec.template.spec.sources[].helm.valuesObject',
    ],
    valuesTexts: [
      'spec.template.spec.source.helm.values',
      'spec.template.spec.sources[].helm.values',
    ],
    parameters: [
      'spec.template.spec.source.helm.parameters',
      'spec.template.spec.sources[].helm.parameters',
    ],
    kustomizeImages: [
      'spec.template.spec.source.kustomize.images',
      'spec.template.spec.sources[].kustomize.images',
    ],
    source: 'argo-cd docs/operator-manual/applicationset.yaml',
    date: '2026-11-30',
  },
  {
    group: 'helm.toolkit.fluxcd.io',
    kinds: ['HelmRelease'],
    values: ['spec.values'],
    kustomizeImages: ['spec.postRenderers[].kustomize.images'],
    source: 'flux helm-controller docs/spec/v2/helmreleases.md',
    date: '2026-11-30',
  },
  {
    group: 'helm.cattle.io',
    kinds: ['HelmChart', 'HelmChartConfig'],
    valuesTexts: ['spec.valuesContent'],
    images: ['spec.jobImage'],
    source: 'k3s docs: Helm, HelmChart field definitions',
    date: '2026-11-30',
  },
  {
    group: 'kustomize.toolkit.fluxcd.io',
    kinds: ['Kustomization'],
    kustomizeImages: ['spec.images'],
    source: 'flux kustomize-controller docs/spec/v1/kustomizations.md',
    date: '2026-11-30',
  },
  {
    group: 'source.toolkit.fluxcd.io',
    kinds: ['OCIRepository', 'HelmRepository'],
    artifacts: ['spec.url'],
    source: 'flux source-controller docs/spec/v1/ocirepositories.md',
    date: '2026-11-30',
  },
  {
    group: 'image.toolkit.fluxcd.io',
    kinds: ['ImageRepository'],
    images: ['spec.image'],
    note: 'Flux then reads the tags of the new name',
    source: 'flux image-reflector-controller docs/spec/v1/imagerepositories.md',
    date: '2026-11-30',
  },
  {
    group: 'tekton.dev',
    kinds: ['Task', 'ClusterTask', 'StepAction'],
    images: [...tektonTask('spec.'), 'spec.image'],
    source: 'tektoncd/pipeline docs/pipeline-api.md',
    date: '2026-11-30',
  },
  {
    group: 'tekton.dev',
    kinds: ['TaskRun'],
    images: tektonTask('spec.taskSpec.'),
    source: 'tektoncd/pipeline docs/pipeline-api.md',
    date: '2026-11-30',
  },
  {
    group: 'tekton.dev',
    kinds: ['Pipeline'],
    images: [...tektonTask('spec.tasks[].taskSpec.'), ...tektonTask('spec.finally[].taskSpec.')],
    source: 'tektoncd/pipeline docs/pipeline-api.md',
    date: '2026-11-30',
  },
  {
    group: 'tekton.dev',
    kinds: ['PipelineRun'],
    images: [
      ...tektonTask('spec.pipelineSpec.tasks[].taskSpec.'),
      ...tektonTask('spec.pipelineSpec.finally[].taskSpec.'),
    ],
    source: 'tektoncd/pipeline docs/pipeline-api.md',
    date: '2026-11-30',
  },
  {
    group: 'caching.internal.knative.dev',
    kinds: ['Image'],
    images: ['spec.image'],
    source: 'knative/caching pkg/apis/caching/v1alpha1/image_types.go',
    date: '2026-11-30',
  },
  {
    group: 'kubeadm.k8s.io',
    kinds: ['ClusterConfiguration'],
    prefixes: kubeadmCluster(''),
    note: kubeadmNote,
    source: 'kubernetes cmd/kubeadm/app/apis/kubeadm/v1beta4/types.go',
    date: '2026-11-30',
  },
  {
    group: 'controlplane.cluster.x-k8s.io',
    kinds: ['KubeadmControlPlane', 'KubeadmControlPlaneTemplate'],
    prefixes: [
      ...kubeadmCluster('spec.kubeadmConfigSpec.clusterConfiguration.'),
      ...kubeadmCluster('spec.template.spec.kubeadmConfigSpec.clusterConfiguration.'),
    ],
    note: kubeadmNote,
    source: 'cluster-api api/controlplane/kubeadm',
    date: '2026-11-30',
  },
  {
    group: 'bootstrap.cluster.x-k8s.io',
    kinds: ['KubeadmConfig', 'KubeadmConfigTemplate'],
    prefixes: [
      ...kubeadmCluster('spec.clusterConfiguration.'),
      ...kubeadmCluster('spec.template.spec.clusterConfiguration.'),
    ],
    note: kubeadmNote,
    source: 'cluster-api api/bootstrap/kubeadm',
    date: '2026-11-30',
  },
];

/** Annotations that name images, on objects and on the templates of their pods. */
export const imageAnnotations: readonly {
  readonly key: string;
  readonly source: string;
  readonly date: string;
}[] = [
  {
    key: 'sidecar.istio.io/proxyImage',
    source: 'istio docs: Resource Annotations',
    date: '2026-11-30',
  },
  {
    key: 'config.linkerd.io/proxy-image',
    source: 'linkerd docs: proxy configuration annotations',
    date: '2026-11-30',
  },
  {
    key: 'config.linkerd.io/init-image',
    source: 'linkerd docs: proxy configuration annotations',
    date: '2026-11-30',
  },
  {
    key: 'config.linkerd.io/debug-image',
    source: 'linkerd docs: proxy configuration annotations',
    date: '2026-11-30',
  },
  {
    key: 'vault.hashicorp.com/agent-image',
    source: 'vault-k8s docs: annotations',
    date: '2026-11-30',
  },
  {
    key: 'sidecar.opentelemetry.io/image',
    source: 'opentelemetry-operator README',
    date: '2026-11-30',
  },
  {
    key: 'dapr.io/sidecar-image',
    source: 'dapr docs: arguments and annotations',
    date: '2026-11-30',
  },
];
