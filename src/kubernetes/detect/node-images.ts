import { isObject } from '../../domain/json.ts';
import { parseImageName } from '../../domain/names/image-name.ts';
import type { ImageUse } from './detection.ts';
import type { Inventory } from './inventory.ts';

/** What nodes have on their disks: the sandbox image, static pods and the past are only there. */
export interface NodeImages {
  /** Takes `status.images` of a Node: the 50 largest, unless its kubelet was told another number. */
  note(node: string, fields: Readonly<Record<string, unknown>>): void;
  /** Those that nothing in the inventory names, however it is written. */
  unused(inventory: Inventory): readonly ImageUse[];
}

const namesMax = 50_000;

export function createNodeImages(): NodeImages {
  const byName = new Map<string, { readonly node: string; nodes: number }>();
  return {
    note(node, fields) {
      for (const name of tagsOf(fields['status'])) {
        const known = byName.get(name);
        if (known !== undefined) known.nodes += 1;
        else if (byName.size < namesMax) byName.set(name, { node, nodes: 1 });
      }
    },
    unused(inventory) {
      const used = new Set<string>();
      for (const [image] of inventory.parts()) used.add(plainName(image));
      return [...byName]
        .filter(([name]) => !used.has(plainName(name)))
        .map(([image, { node, nodes }]) => ({
          image,
          certainty: 'node',
          count: 0,
          place: {
            kind: 'Node',
            name: node,
            field: 'status.images',
            note: nodes === 1 ? 'on this node alone' : `on ${nodes} nodes`,
          },
        }));
    },
  };
}

/** An image has its names by tag and by digest there: the first tag, else the digest. */
function tagsOf(status: unknown): readonly string[] {
  const images = isObject(status) && Array.isArray(status['images']) ? status['images'] : [];
  return images.filter(isObject).flatMap(({ names }) => {
    const all = Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
    const tags = all.filter((name) => !name.includes('@'));
    return tags.length > 0 ? tags : all.slice(0, 1);
  });
}

/** As nodes name it: with its host, and a tag. */
function plainName(image: string): string {
  const name = parseImageName(image);
  if (name === undefined) return image;
  const { host, repository, tag, digest } = name;
  if (digest !== undefined && tag === undefined) return `${host}/${repository}@${digest}`;
  return `${host}/${repository}:${tag ?? 'latest'}`;
}
