import { dockerHub } from '../../domain/names/host-name.ts';
import { parseImageName } from '../../domain/names/image-name.ts';
import type { DetectedHost, DetectedImage } from './detection.ts';

/** What a registry needs besides itself: tokens come from one host, bytes from another. */
interface RegistryHosts {
  readonly host: string;
  /** `*` stands for one part. */
  readonly hosts: readonly string[];
  readonly note?: string;
  readonly source: string;
  /** The day on which the source was read. */
  readonly read: string;
}

/** Each row was looked up; of other registries their own host alone is known. */
const registryHosts: readonly RegistryHosts[] = [
  {
    host: dockerHub,
    hosts: [
      'registry-1.docker.io',
      'auth.docker.io',
      'production.cloudflare.docker.com',
      'production.cloudfront.docker.com',
      'docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com',
    ],
    source: 'https://docs.docker.com/desktop/setup/allow-list/',
    read: '2026-11-30',
  },
  {
    host: 'registry.k8s.io',
    hosts: ['registry.k8s.io'],
    note: 'it sends clients on to hosts that differ by region and may change any day: its keepers advise a mirror where hosts have to be listed',
    source: 'https://github.com/kubernetes/registry.k8s.io#stability',
    read: '2026-11-30',
  },
  {
    host: 'k8s.gcr.io',
    hosts: ['k8s.gcr.io', 'registry.k8s.io'],
    note: 'it sends clients on to registry.k8s.io, and that to hosts that differ by region',
    source: 'https://kubernetes.io/blog/2023/03/10/image-registry-redirect/',
    read: '2026-11-30',
  },
  {
    host: 'quay.io',
    hosts: ['quay.io', 'cdn.quay.io', 'cdn01.quay.io', 'cdn02.quay.io', 'cdn03.quay.io'],
    source: 'https://access.redhat.com/node/7001746',
    read: '2026-11-30',
  },
  {
    host: 'ghcr.io',
    hosts: ['ghcr.io', 'pkg-containers.githubusercontent.com'],
    source: 'https://pullist.d0t.se/ghcr.json',
    read: '2026-11-30',
  },
  {
    host: 'mcr.microsoft.com',
    hosts: ['mcr.microsoft.com', '*.data.mcr.microsoft.com'],
    source: 'https://www.powershellgallery.com/packages/Microsoft.AzLocal.CSSTools',
    read: '2026-11-30',
  },
];

/** The registries of what was found, the most used first. What only may be an image does not count. */
export function hostsOf(images: readonly DetectedImage[]): readonly DetectedHost[] {
  const found = new Map<string, { images: number; count: number }>();
  for (const { image, certainty, count } of images) {
    if (certainty === 'review' || certainty === 'prefix') continue;
    const host = parseImageName(image.replace(/^oci:\/\//, ''))?.host;
    if (host === undefined) continue;
    const known = found.get(host) ?? { images: 0, count: 0 };
    known.images += 1;
    known.count += count;
    found.set(host, known);
  }
  return [...found]
    .map(([host, counts]) => {
      const row = registryHosts.find((each) => each.host === host);
      const note = row?.note;
      return { host, ...counts, egress: row?.hosts ?? [host], ...(note !== undefined && { note }) };
    })
    .toSorted((one, other) => other.count - one.count || other.images - one.images);
}
