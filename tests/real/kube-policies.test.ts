// What k8s generate makes, on a real API server: it names the same images as the function that all commands share.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import fc from 'fast-check';
import { createImageMapping } from '../../src/domain/image-rewrite.ts';
import type { ImageMapping } from '../../src/domain/image-rewrite.ts';
import { builtinRules, overBuiltinRules } from '../../src/domain/rules/builtin-rules.ts';
import type { PullRule } from '../../src/domain/rules/pull-rule.ts';
import { mutatingPolicies } from '../../src/kubernetes/policies/mutating-policy.ts';
import type { KubeApiServer } from '../support/processes/kube-api-server.ts';
import { kubeApiServerMissing, startKubeApiServer } from '../support/processes/kube-api-server.ts';
import { staticFlags } from '../support/processes/static-policies.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { ruleFor as rule } from '../support/rigs/pull-server.ts';
import { until } from '../support/rigs/until.ts';
import { referenceTable, rewrittenHere } from '../support/samples/reference-table.ts';

const skip = (await kubeApiServerMissing()) ?? false;
const registryHost = 'registry.example.com';
const digest = `sha256:${'a'.repeat(64)}`;
const former = '111122223333.dkr.ecr.eu-west-2.amazonaws.com';

function mappingOf(rules: readonly PullRule[], replaces: readonly string[] = []): ImageMapping {
  return createImageMapping({ registryHost, rules, replaces });
}

/** Each in a namespace of its own, by its name. */
const mappings: Readonly<Record<string, ImageMapping>> = {
  builtin: mappingOf(builtinRules),
  named: mappingOf(
    [
      rule('docker-hub', 'registry-1.docker.io'),
      rule('github', 'ghcr.io'),
      rule('k8s', 'registry.k8s.io'),
      rule('quay', 'quay.io'),
    ],
    [former],
  ),
  parts: mappingOf(
    overBuiltinRules([
      rule('official', 'docker.io', { upstreamPrefix: 'library' }),
      rule('trivy-db', 'ghcr.io', { upstreamPrefix: 'aquasecurity/trivy-db' }),
      rule('quay.io/a', 'x.corp'),
      rule('etcd', 'quay.io', { upstreamPrefix: 'coreos' }),
      rule('x', 'x.corp'),
      rule('x/b', 'y.corp:5000'),
      rule('ROOT', 'z.corp'),
    ]),
  ),
  taken: mappingOf(builtinRules, ['k8s.gcr.io', 'quay.io']),
  nothing: mappingOf([]),
};

interface Item {
  readonly name: string;
  readonly image: string;
}

interface Pod {
  readonly spec: {
    readonly containers: readonly (Item & Record<string, unknown>)[];
    readonly initContainers?: readonly (Item & Record<string, unknown>)[];
    readonly volumes?: readonly {
      readonly name: string;
      readonly image?: { readonly reference: string };
    }[];
  };
}

function podOf(spec: object, metadata: object = {}): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { generateName: 'p-', ...metadata }, spec };
}

function containersOf(images: readonly string[], prefix = 'c'): readonly Item[] {
  return images.map((image, index) => ({ name: `${prefix}${index}`, image }));
}

suite('A MutatingAdmissionPolicy on a real API server', { skip }, () => {
  let server: KubeApiServer;
  const make = async (namespace: string, pod: object, query = '?dryRun=All'): Promise<Pod> =>
    (await server.send('POST', `/api/v1/namespaces/${namespace}/pods${query}`, pod)) as Pod;
  const imagesOf = async (namespace: string, images: readonly string[]): Promise<string[]> => {
    const { spec } = await make(namespace, podOf({ containers: containersOf(images) }));
    return spec.containers.map(({ image }) => image);
  };

  before(async () => {
    server = await startKubeApiServer([
      '--runtime-config=admissionregistration.k8s.io/v1beta1=true',
    ]);
    for (const [name, mapping] of Object.entries(mappings)) {
      await server.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      const scope = { include: [name], exclude: [], labels: {} };
      const parts = {
        mapping,
        scope,
        failurePolicy: 'Fail',
        version: 'v1',
        isStatic: false,
      } as const;
      await server.apply(...mutatingPolicies(parts).map((object) => renamed(object, name)));
    }
    for (const name of ['builtin', 'named', 'parts', 'taken'])
      await until(
        async () => (await imagesOf(name, ['nginx']))[0] !== 'nginx',
        `the policy of ${name} is in force`,
        30_000,
      );
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  // The API server itself refuses blanks around an image.
  const accepted = referenceTable.filter(({ text }) => text.trim() === text);
  test('names of references.txt what the function names.', async () => {
    assert.equal(referenceTable.length - accepted.length, 2);
    for (const rows of chunks(accepted, 40))
      assert.deepEqual(
        await imagesOf(
          'builtin',
          rows.map(({ text }) => text),
        ),
        rows.map((row) => rewrittenHere(row, registryHost) ?? row.text),
      );
  });

  const part = fc.constantFrom(
    'a',
    'b',
    'c_d',
    'library',
    'nginx',
    'coreos',
    'aquasecurity',
    'trivy-db',
    'quay',
    'quay.io',
    'docker.io',
    'index.docker.io',
    'k8s.gcr.io',
    'UPPER',
    'x'.repeat(100),
  );
  const host = fc.constantFrom(
    'docker.io',
    'index.docker.io',
    'Docker.io:443',
    'quay.io',
    'QUAY.io',
    'ghcr.io',
    'k8s.gcr.io',
    'registry.k8s.io',
    'x.corp',
    'y.corp:5000',
    'z.corp',
    'other.corp',
    registryHost,
    former,
  );
  const image = fc
    .tuple(
      fc.oneof(
        fc.constant(''),
        host.map((each) => `${each}/`),
      ),
      fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
      fc.constantFrom('', ':1', ':V-2_x', `@${digest}`, `:1@${digest}`, ':'),
    )
    .map((parts) => parts.join(''));
  for (const [name, mapping] of Object.entries(mappings))
    test(`names of generated references what the function names, with the rules "${name}".`, async () => {
      const seed = Date.now() % 2 ** 31;
      const images = fc.sample(image, { seed, numRuns: 400 });
      for (const some of chunks(images, 40))
        assert.deepEqual(
          await imagesOf(name, some),
          some.map((each) => {
            const found = mapping.rewrite(each);
            return found.kind === 'rewritten' ? found.image : each;
          }),
          `seed ${seed}`,
        );
    });

  test('keeps order and every other field, and sees init containers, sidecars and volumes of images.', async () => {
    const env = [{ name: 'A', value: 'nginx' }];
    const { spec } = await make(
      'builtin',
      podOf({
        containers: [
          { name: 'z', image: 'x.corp/stays', env },
          { name: 'a', image: 'nginx', env, args: ['nginx'] },
          { name: 'm', image: `quay.io/a/b:1@${digest}` },
        ],
        initContainers: [
          { name: 'two', image: 'k8s.gcr.io/pause:3.9' },
          { name: 'one', image: 'x.corp/stays' },
          { name: 'sidecar', image: 'busybox:1.36', restartPolicy: 'Always' },
        ],
        volumes: [
          { name: 'data', emptyDir: {} },
          { name: 'model', image: { reference: 'ghcr.io/a/model:1', pullPolicy: 'Never' } },
        ],
      }),
    );
    const names = (items: readonly Item[] = []): unknown =>
      items.map((each) => [each.name, each.image]);
    assert.deepEqual(names(spec.containers), [
      ['z', 'x.corp/stays'],
      ['a', `${registryHost}/docker.io/library/nginx`],
      ['m', `${registryHost}/quay.io/a/b:1@${digest}`],
    ]);
    assert.deepEqual(names(spec.initContainers), [
      ['two', `${registryHost}/registry.k8s.io/pause:3.9`],
      ['one', 'x.corp/stays'],
      ['sidecar', `${registryHost}/docker.io/library/busybox:1.36`],
    ]);
    const nginx = spec.containers[1];
    // The pull policy comes of the image as it was written: without a tag.
    assert.deepEqual(
      [nginx?.['env'], nginx?.['args'], nginx?.['imagePullPolicy']],
      [env, ['nginx'], 'Always'],
    );
    assert.equal(spec.initContainers?.[2]?.['restartPolicy'], 'Always');
    assert.deepEqual(spec.volumes, [
      { name: 'data', emptyDir: {} },
      {
        name: 'model',
        image: { reference: `${registryHost}/ghcr.io/a/model:1`, pullPolicy: 'Never' },
      },
    ]);
  });

  test('has room for 50 containers and 50 init containers with the longest names.', async () => {
    const long = `quay.io/${'organisation-of-30-characters/'.repeat(7)}n:${'v'.repeat(128)}@sha512:${'a'.repeat(128)}`;
    const images = Array.from({ length: 50 }, () => long);
    const { spec } = await make(
      'builtin',
      podOf({ containers: containersOf(images), initContainers: containersOf(images, 'i') }),
    );
    for (const each of [...spec.containers, ...(spec.initContainers ?? [])])
      assert.equal(each.image, `${registryHost}/${long}`);
  });

  test('leaves pods of other namespaces, mirror pods and what is updated as they are.', async () => {
    assert.deepEqual(await imagesOf('default', ['nginx']), ['nginx']);
    const mirror = podOf(
      { nodeName: 'n1', containers: containersOf(['nginx']) },
      { annotations: { 'kubernetes.io/config.mirror': 'x' } },
    );
    assert.equal((await make('builtin', mirror)).spec.containers[0]?.image, 'nginx');
    await make('nothing', podOf({ containers: containersOf(['nginx']) }, { name: 'old' }), '');
    const moved = mutatingPolicies({
      mapping: mappingOf(builtinRules),
      scope: { include: ['nothing'], exclude: [], labels: {} },
      failurePolicy: 'Fail',
      version: 'v1beta1',
      isStatic: false,
    });
    // The older form of the API is the same object.
    await server.apply(...moved.map((object) => renamed(object, 'later')));
    await until(
      async () => (await imagesOf('nothing', ['nginx']))[0] !== 'nginx',
      'the policy is in force',
      30_000,
    );
    await server.kubectl(['-n', 'nothing', 'label', 'pod', 'old', 'a=b']);
    const image = await server.kubectl([
      '-n',
      'nothing',
      'get',
      'pod',
      'old',
      '-o',
      'jsonpath={.spec.containers[0].image}',
    ]);
    assert.equal(image, 'nginx');
  });

  test('rewrites debug containers as they are added, and those alone.', async () => {
    await make('builtin', podOf({ containers: containersOf(['nginx']) }, { name: 'one' }), '');
    const debug = async (name: string, image: string): Promise<string> => {
      await server.kubectl([
        '-n',
        'builtin',
        'debug',
        'one',
        '--attach=false',
        '-c',
        name,
        `--image=${image}`,
        '--',
        'sh',
      ]);
      return await server.kubectl([
        '-n',
        'builtin',
        'get',
        'pod',
        'one',
        '-o',
        'jsonpath={.spec.ephemeralContainers[*].image}',
      ]);
    };
    const busybox = `${registryHost}/docker.io/library/busybox:1`;
    assert.equal(await debug('d1', 'busybox:1'), busybox);
    assert.equal(await debug('d2', 'x.corp/a'), `${busybox} x.corp/a`);
    assert.equal(await debug('d3', 'quay.io/a'), `${busybox} x.corp/a ${registryHost}/quay.io/a`);
  });
});

test(
  'The same holds as a file in the API server’s own folder, where nothing can be deleted.',
  { skip },
  async () => {
    const folder = await makeRunFolder('kube-static');
    try {
      const mapping = mappingOf(builtinRules);
      const scope = { include: [], exclude: ['kube-system'], labels: {} };
      const objects = mutatingPolicies({
        mapping,
        scope,
        failurePolicy: 'Fail',
        version: 'v1',
        isStatic: true,
      });
      const flags = await staticFlags(folder, 'MutatingAdmissionPolicy', objects);
      await using server = await startKubeApiServer(flags);
      // In force with the first request that is answered.
      const path = '/api/v1/namespaces/default/pods?dryRun=All';
      const pod = (await server.send(
        'POST',
        path,
        podOf({ containers: containersOf(['nginx']) }),
      )) as Pod;
      assert.equal(pod.spec.containers[0]?.image, `${registryHost}/docker.io/library/nginx`);
    } finally {
      await removeRunFolder(folder);
    }
  },
);

/** Several policies beside each other. */
function renamed(object: object, name: string): object {
  const { metadata, spec } = object as {
    metadata: { name: string };
    spec: { policyName?: string };
  };
  const policyName =
    spec.policyName === undefined ? {} : { policyName: `${spec.policyName}-${name}` };
  return {
    ...object,
    metadata: { name: `${metadata.name}-${name}` },
    spec: { ...spec, ...policyName },
  };
}

function chunks<Value>(all: readonly Value[], size: number): readonly Value[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}
