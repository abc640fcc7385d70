import type { UpstreamShape } from './shape.ts';
import type { Answer, Asked, ScriptedRegistry } from '../../support/upstreams/scripted-registry.ts';

const listers = { crane: 'right', skopeo: 'right', regctl: 'right' } as const;

const pageSize = 3;
const some = Array.from({ length: 8 }, (_, at) => `v${at}`);

/** A page of the tags, and a Link as given where there are more. */
function page(tags: readonly string[], from: number, size: number, link: string): Answer {
  const more = from + size < tags.length ? { link: `<${link}>; rel="next"` } : {};
  return {
    headers: { 'content-type': 'application/json', ...more },
    body: { name: 'app', tags: tags.slice(from, from + size) },
  };
}

/** Pages that the registry leads through in a way of its own. */
function paged(
  registry: ScriptedRegistry,
  answer: (asked: Asked, path: string) => Answer,
): readonly [{ readonly ask: 'tags' }] {
  registry.answer = (asked) => (asked.kind === 'tags' ? answer(asked, asked.path) : undefined);
  return [{ ask: 'tags' }];
}

export const listShapes: readonly UpstreamShape[] = [
  {
    name: 'Tags are listed by n and last',
    clients: listers,
    play: (registry) => {
      for (const tag of ['v1', 'v2', 'latest']) registry.image({ tag });
      return [{ ask: 'tags' }];
    },
  },
  {
    name: 'Pages of tags go on by a token in `last`, and any other is 400',
    clients: listers,
    play: (registry) =>
      paged(registry, ({ query }, path) => {
        const token = /^token(\d+)$/.exec(query.get('last') ?? 'token0');
        if (token === null) return { status: 400, body: '{}' };
        const from = Number(token[1]);
        return page(some, from, pageSize, `${path}?n=${pageSize}&last=token${from + pageSize}`);
      }),
  },
  {
    name: 'Pages of tags go on by a parameter of its own',
    clients: listers,
    play: (registry) =>
      paged(registry, ({ query }, path) => {
        const from = Number(query.get('next_page') ?? 0);
        return page(some, from, pageSize, `${path}?next_page=${from + pageSize}`);
      }),
  },
  {
    name: 'Pages of tags go on by a Link without a path',
    clients: { crane: 'right', skopeo: 'fails' },
    play: (registry) =>
      paged(registry, ({ query }) => {
        const from = Number(query.get('from') ?? 0);
        return page(some, from, pageSize, `?from=${from + pageSize}`);
      }),
  },
  {
    name: 'A list is in an order of its own',
    clients: listers,
    play: (registry) =>
      paged(registry, ({ query }, path) => {
        const tags = ['z', 'b', 'y', 'a', 'x', 'c'];
        const from = tags.indexOf(query.get('last') ?? '') + 1;
        return page(tags, from, 2, `${path}?n=2&last=${tags[from + 1]}`);
      }),
  },
  {
    name: '12,000 tags, and n is 1,000 at most',
    clients: listers,
    play: (registry) => {
      for (let at = 0; at < 12_000; at += 1) registry.tags.add(`v${String(at).padStart(5, '0')}`);
      registry.answer = ({ kind, query }, ordinary) => {
        if (kind !== 'tags') return undefined;
        return Number(query.get('n') ?? 0) > 1000 ? { status: 400, body: '{}' } : ordinary();
      };
      return [{ ask: 'tags' }];
    },
  },
  {
    name: '12,000 tags, paged by a token',
    clients: listers,
    play: (registry) => {
      const tags = Array.from({ length: 12_000 }, (_, at) => `v${String(at).padStart(5, '0')}`);
      return paged(registry, ({ query }, path) => {
        const from = Number(Buffer.from(query.get('token') ?? '', 'base64').toString() || 0);
        const token = encodeURIComponent(Buffer.from(String(from + 1000)).toString('base64'));
        return page(tags, from, 1000, `${path}?n=1000&token=${token}`);
      });
    },
  },
];
