/** A file before and after its references were changed, and nothing else. */
export interface ManifestFile {
  readonly name: string;
  readonly before: string;
  readonly after: string;
  /** References in it. */
  readonly references: number;
}

const images: readonly (readonly [string, string])[] = [
  ['nginx:1.27.3', 'docker.io/library/nginx:1.27.3'],
  ['docker.io/grafana/grafana:11.4.0', 'docker.io/grafana/grafana:11.4.0'],
  ['quay.io/prometheus/node-exporter:v1.9.1', 'quay.io/prometheus/node-exporter:v1.9.1'],
  ['k8s.gcr.io/pause:3.9', 'registry.k8s.io/pause:3.9'],
  [
    `ghcr.io/fluxcd/source-controller:v1.4.1@sha256:${'a1'.repeat(32)}`,
    `ghcr.io/fluxcd/source-controller:v1.4.1@sha256:${'a1'.repeat(32)}`,
  ],
  ['redis', 'docker.io/library/redis'],
];

/** As people write them: comments, quotes of each kind, flow maps, anchors, several documents; some with CRLF or a byte order mark. Of the built-in rules at `host`. */
export function manifestFiles(count: number, host: string): readonly ManifestFile[] {
  return Array.from({ length: count }, (_, index) => {
    let references = 0;
    const image = (offset: number): string => {
      const [from, to] = images[(index + offset) % images.length] ?? ['', ''];
      references += 1;
      return `‹${from}|${host}/${to}›`;
    };
    const name = `app-${index}`;
    const marked = `# ${name}: owned by team ${index % 7}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  labels: {app: ${name},  tier: "web"}   # two blanks
spec:
  replicas: ${index % 5}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata:
      labels:
        app: ${name}
        version: "1.10"
    spec:
      initContainers:
      - {name: init, image: '${image(0)}', command: [sh, -c, "echo nginx:1.27.3"]}
      containers:
        -   name: main
            image:   ${image(1)}     # not latest
            ports:
              - containerPort: 8080
            resources:
              limits: {cpu: 500m, memory: 128Mi}
            env:
            - name: TEXT
              value: |
                image: nginx:1.27.3
                  indented
        - name: side
          image: "${image(2)}"
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec:
  ports: [{port: 80, targetPort: 8080}]


---
apiVersion: batch/v1
kind: CronJob
metadata: {name: ${name}-clean}
spec:
  schedule: '*/5 * * * *'
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: clean
            image: &clean ${image(3)}
          - name: again
            image: *clean
`;
    const side = (part: 1 | 2): string => {
      const text = marked.replaceAll(/‹([^|]*)\|([^›]*)›/g, (_all, from: string, to: string) =>
        part === 1 ? from : to,
      );
      const lines = index % 5 === 0 ? text.replaceAll('\n', '\r\n') : text;
      return (index % 11 === 0 ? '\ufeff' : '') + (index % 3 === 0 ? lines.trimEnd() : lines);
    };
    return { name: `${name}.yaml`, before: side(1), after: side(2), references };
  });
}
