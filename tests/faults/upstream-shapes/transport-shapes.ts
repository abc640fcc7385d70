import { gzipSync } from 'node:zlib';
import type { Answer, Asked, ScriptedRegistry } from '../../support/upstreams/scripted-registry.ts';
import type { UpstreamShape } from './shape.ts';

const all = { crane: 'right', skopeo: 'right', regctl: 'right', containerd: 'right' } as const;

type Changed = (asked: Asked, ordinary: Answer, registry: ScriptedRegistry) => Answer | undefined;

/** An image, pulled by tag, whose answers are changed. */
const changed =
  (change: Changed): UpstreamShape['play'] =>
  (registry) => {
    registry.image({ tag: 'v1' });
    registry.answer = (asked, ordinary) => change(asked, ordinary(), registry);
    return [{ ask: 'pull', reference: 'v1' }];
  };

const withHeaders = (answer: Answer, headers: Readonly<Record<string, string>>): Answer =>
  'break' in answer ? answer : { ...answer, headers: { ...answer.headers, ...headers } };

const isContent = ({ kind }: Asked): boolean => kind === 'manifest' || kind === 'blob';

/** Each GET of content fails once. */
const failingOnce = (failure: Answer): UpstreamShape['play'] => {
  return (registry) => {
    const failed = new Set<string>();
    return changed((asked) => {
      if (!isContent(asked) || asked.method !== 'GET' || failed.has(asked.path)) return undefined;
      failed.add(asked.path);
      return failure;
    })(registry);
  };
};

const ghcrLimit = {
  status: 429,
  body: {
    errors: [{ code: 'TOOMANYREQUESTS', message: 'retry-after: 985.86µs, allowed: 44000/minute' }],
  },
};

export const transportShapes: readonly UpstreamShape[] = [
  {
    name: 'Right bytes of blobs are said to be x-gzip',
    clients: { ...all, containerd: 'fails' },
    play: changed((asked, answer) =>
      asked.kind === 'blob' ? withHeaders(answer, { 'content-encoding': 'x-gzip' }) : undefined,
    ),
  },
  {
    name: 'Right bytes are said to be aws-chunked',
    clients: { ...all, containerd: 'fails' },
    play: changed((asked, answer) =>
      isContent(asked) ? withHeaders(answer, { 'content-encoding': 'aws-chunked' }) : undefined,
    ),
  },
  {
    name: 'Blobs are said to be HTML',
    clients: all,
    play: changed((asked, answer) =>
      asked.kind === 'blob' ? withHeaders(answer, { 'content-type': 'text/html' }) : undefined,
    ),
  },
  {
    name: 'Manifests are compressed on the way, whatever was asked',
    clients: all,
    play: changed((asked, answer) =>
      asked.kind !== 'manifest' || 'break' in answer || asked.method === 'HEAD'
        ? undefined
        : withHeaders(
            { ...answer, body: gzipSync(answer.body as Buffer) },
            { 'content-encoding': 'gzip' },
          ),
    ),
  },
  {
    name: 'A tag announces the digest of another form of the manifest',
    clients: { ...all, regctl: 'fails', containerd: 'fails' },
    play: changed((asked, answer) =>
      asked.kind === 'manifest' && !asked.reference.startsWith('sha256:')
        ? withHeaders(answer, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` })
        : undefined,
    ),
  },
  {
    name: 'Each GET of content gets one 502',
    clients: { ...all, skopeo: 'fails', containerd: 'fails' },
    play: failingOnce({ status: 502, body: '<html>' }),
  },
  {
    name: 'Each GET of content gets one 503',
    clients: { ...all, skopeo: 'fails', regctl: 'fails' },
    play: failingOnce({ status: 503, body: '' }),
  },
  {
    name: 'Each GET of content is reset once',
    clients: { ...all, skopeo: 'fails', containerd: 'fails' },
    play: failingOnce({ break: true }),
  },
  {
    name: 'Each GET of content is put off once by microseconds, as GHCR does',
    clients: all,
    play: failingOnce(ghcrLimit),
  },
  {
    name: 'Blobs are at a place that asks for a Referer',
    clients: all,
    play: changed((asked, answer, registry) => {
      if (asked.kind !== 'blob') return undefined;
      const other = registry.host.replace('127.0.0.1', 'localhost');
      if (asked.headers.host !== other)
        return { status: 307, headers: { location: `http://${other}${asked.path}?sig=a%20b` } };
      return asked.headers.referer === undefined ? { status: 403, body: 'Forbidden' } : answer;
    }),
  },
];
