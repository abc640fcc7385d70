// Charts with the shapes that published ones have, as files by their paths: helpers that put an image together, and what insists on it.

/** Files of a chart by their paths in its folder. */
export type ChartFiles = Readonly<Record<string, string>>;

const digest = 'sha256:e9adc5075a83ecc3f2eddd0bd1ef54a9d8a9e8a9a3b7d8b2b3bcb1ba0ccf5a9e';

function deployment(name: string, containers: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
${containers}`;
}

/** One repository with its host, and a tag that is the chart's version where none is said. */
export const metricsServer: ChartFiles = {
  'Chart.yaml': 'apiVersion: v2\nname: metrics-server\nversion: 3.13.0\nappVersion: 0.8.0\n',
  'values.yaml': `image:
  repository: registry.k8s.io/metrics-server/metrics-server
  # Defaults to v{{ .Chart.AppVersion }}
  tag: ""
  pullPolicy: IfNotPresent
addonResizer:
  enabled: false
  image:
    repository: registry.k8s.io/autoscaling/addon-resizer
    tag: 1.8.23
`,
  'templates/_helpers.tpl': `{{- define "metrics-server.image" -}}
{{- printf "%s:%s" .Values.image.repository (default (printf "v%s" .Chart.AppVersion) .Values.image.tag) }}
{{- end -}}
`,
  'templates/deployment.yaml': deployment(
    'metrics-server',
    `        - name: metrics-server
          image: {{ include "metrics-server.image" . }}
        {{- if .Values.addonResizer.enabled }}
        - name: addon-resizer
          image: "{{ .Values.addonResizer.image.repository }}:{{ .Values.addonResizer.image.tag }}"
        {{- end }}
`,
  ),
};

/** A registry of its own beside each repository, empty, and one for all of them. */
export const nats: ChartFiles = {
  'Chart.yaml': 'apiVersion: v2\nname: nats\nversion: 1.3.0\nappVersion: 2.11.0\n',
  'values.yaml': `global:
  image:
    pullPolicy:
    registry:
container:
  image:
    repository: nats
    tag: 2.11.0-alpine
    pullPolicy:
    registry:
reloader:
  image:
    repository: natsio/nats-server-config-reloader
    tag: 0.17.0
    registry:
`,
  'templates/_helpers.tpl': `{{- define "nats.image" -}}
{{- $image := printf "%s:%s" .repository .tag }}
{{- if or .registry .global.image.registry }}
{{- $image = printf "%s/%s" (.registry | default .global.image.registry) $image }}
{{- end -}}
image: {{ $image }}
{{- end -}}
`,
  'templates/stateful-set.yaml': deployment(
    'nats',
    `        - name: nats
          {{- include "nats.image" (merge (dict "global" .Values.global) .Values.container.image) | nindent 10 }}
        - name: reloader
          {{- include "nats.image" (merge (dict "global" .Values.global) .Values.reloader.image) | nindent 10 }}
`,
  ),
};

/** A path below a registry, a digest that goes before the tag, and jobs of hooks. */
export const ingressNginx: ChartFiles = {
  'Chart.yaml': 'apiVersion: v2\nname: ingress-nginx\nversion: 4.13.0\nappVersion: 1.13.0\n',
  'values.yaml': `global:
  image:
    registry: registry.k8s.io
controller:
  image:
    image: ingress-nginx/controller
    tag: v1.13.0
    digest: ${digest}
  admissionWebhooks:
    patch:
      image:
        image: ingress-nginx/kube-webhook-certgen
        tag: v1.6.0
        digest: ${digest}
`,
  'templates/deployment.yaml': deployment(
    'controller',
    `        - name: controller
          {{- with (merge .Values.controller.image .Values.global.image) }}
          image: {{ if .repository }}{{ .repository }}{{ else }}{{ .registry }}/{{ .image }}{{ end }}:{{ .tag }}{{ if .digest }}@{{ .digest }}{{ end }}
          {{- end }}
`,
  ),
  'templates/job.yaml': `apiVersion: batch/v1
kind: Job
metadata:
  name: admission-create
  annotations:
    "helm.sh/hook": pre-install,pre-upgrade
spec:
  template:
    spec:
      restartPolicy: OnFailure
      containers:
        - name: create
          {{- with (merge .Values.controller.admissionWebhooks.patch.image .Values.global.image) }}
          image: {{ .registry }}/{{ .image }}:{{ .tag }}{{ if .digest }}@{{ .digest }}{{ end }}
          {{- end }}
`,
};

const bitnamiHelpers = `{{- define "common.images.image" -}}
{{- $registryName := default .imageRoot.registry ((.global).imageRegistry) -}}
{{- $repositoryName := .imageRoot.repository -}}
{{- $separator := ":" -}}
{{- $termination := .imageRoot.tag | toString -}}
{{- if .imageRoot.digest }}
    {{- $separator = "@" -}}
    {{- $termination = .imageRoot.digest | toString -}}
{{- end -}}
{{- if $registryName }}
    {{- printf "%s/%s%s%s" $registryName $repositoryName $separator $termination -}}
{{- else -}}
    {{- printf "%s%s%s" $repositoryName $separator $termination -}}
{{- end -}}
{{- end -}}
{{- define "common.errors.insecureImages" -}}
{{- $relocated := list -}}
{{- range .images -}}
  {{- $name := printf "%s/%s" (default .registry (($.context.Values.global).imageRegistry)) .repository -}}
  {{- if not (contains $name $.context.Chart.Annotations.images) -}}
    {{- $relocated = append $relocated $name -}}
  {{- end -}}
{{- end -}}
{{- if and $relocated (not (($.context.Values.global).security).allowInsecureImages) -}}
  {{- fail (printf "ERROR: Original containers have been substituted for unrecognized ones: %s. If you are sure you want to proceed with non-standard containers, you can skip container image verification by setting the global parameter 'global.security.allowInsecureImages' to true." (join " " $relocated)) -}}
{{- end -}}
{{- end -}}
`;

function bitnamiChart(name: string, values: string, images: readonly string[]): ChartFiles {
  const list = images.map((image) => `    - image: ${image}\n`).join('');
  return {
    'Chart.yaml': `apiVersion: v2\nname: ${name}\nversion: 1.0.0\nannotations:\n  images: |\n${list}`,
    'values.yaml': `global:\n  imageRegistry: ""\n  security:\n    allowInsecureImages: false\n${values}`,
    [`templates/_${name}.tpl`]: bitnamiHelpers,
    'templates/deployment.yaml': `{{- include "common.errors.insecureImages" (dict "images" (list .Values.image .Values.metrics.image) "context" $) }}
${deployment(
  name,
  `        - name: ${name}
          image: {{ include "common.images.image" (dict "imageRoot" .Values.image "global" .Values.global) }}
        - name: metrics
          image: {{ include "common.images.image" (dict "imageRoot" .Values.metrics.image "global" .Values.global) }}
`,
)}`,
  };
}

const postgresql = bitnamiChart(
  'postgresql',
  `image:
  registry: docker.io
  repository: bitnamilegacy/postgresql
  tag: 17.6.0
  digest: ""
metrics:
  image: {registry: docker.io, repository: bitnamilegacy/postgres-exporter, tag: 0.17.1}
`,
  ['docker.io/bitnamilegacy/postgresql:17.6.0', 'docker.io/bitnamilegacy/postgres-exporter:0.17.1'],
);

/** The helper of Bitnami's charts, their refusal of other images, and a subchart of the same kind. */
export const bitnami: ChartFiles = {
  ...bitnamiChart(
    'keycloak',
    `image:
  registry: docker.io
  repository: bitnamilegacy/keycloak
  tag: 26.3.3
  digest: ${digest}
metrics:
  image: {registry: docker.io, repository: nginx, tag: "1.29"}
`,
    ['docker.io/bitnamilegacy/keycloak:26.3.3', 'docker.io/nginx:1.29'],
  ),
  ...Object.fromEntries(
    Object.entries(postgresql).map(([path, text]) => [`charts/postgresql/${path}`, text]),
  ),
};

/** Images that no value has, one of them in a hook; a list; a schema that takes one registry alone; an image for an operator's argument. */
export const stubborn: ChartFiles = {
  'Chart.yaml': 'apiVersion: v2\nname: stubborn\nversion: 1.0.0\n',
  'values.yaml': `fixed: {registry: quay.io}
reloaderImage: quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0
shared: {registry: quay.io}
sidecars:
  - name: one
    image: quay.io/team/one:1
    port: 80
  - name: two
    image: corp.example.net/team/two:2
`,
  'values.schema.json': JSON.stringify({
    properties: {
      fixed: { properties: { registry: { enum: ['quay.io'] } } },
    },
  }),
  'templates/deployment.yaml': deployment(
    'stubborn',
    `        - name: hard
          image: busybox:1.36
          args: ["--prometheus-config-reloader={{ .Values.reloaderImage }}"]
        - name: fixed
          image: {{ .Values.fixed.registry }}/team/fixed:1
        {{- range .Values.sidecars }}
        - {name: {{ .name }}, image: {{ .image | quote }}}
        {{- end }}
`,
  ),
  'templates/hook.yaml': `apiVersion: v1
kind: Pod
metadata:
  name: stubborn-{{ randAlphaNum 5 | lower }}
  annotations: {"helm.sh/hook": test}
spec:
  containers: [{name: test, image: "curlimages/curl:8.15.0"}]
`,
};
