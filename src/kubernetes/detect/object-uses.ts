import { isObject } from '../../domain/json.ts';
import { fieldText } from '../places/image-place.ts';
import type { ImagePlace } from '../places/image-place.ts';
import { imagePlaces } from '../places/image-places.ts';
import { certaintyOf, objectKey } from './detection.ts';
import type { ImageUse, ObjectName, ObjectPlace } from './detection.ts';
import type { Inventory } from './inventory.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Who made the objects that others made, so that a pod leads to what somebody wrote. */
export interface Owners {
  /** Notes the owner of an object; answers whether it has one. */
  note(object: ObjectName, fields: Fields): boolean;
  /** The owner of an object's owner, as far as was noted; `undefined` where nobody made it. */
  of(fields: Fields, namespace: string | undefined): ObjectName | undefined;
}

/** ReplicaSets and Jobs that are remembered, some 20 MB; of what is beyond the nearest owner is named. */
const ownersMax = 100_000;
/** Deeper than Deployment, ReplicaSet, pod. */
const stepsMax = 4;

export function createOwners(): Owners {
  const owners = new Map<string, ObjectName>();
  return {
    note(object, fields) {
      const owner = controllerOf(fields, object.namespace);
      if (owner === undefined) return false;
      if (owners.size < ownersMax) owners.set(objectKey(object), owner);
      return true;
    },
    of(fields, namespace) {
      let owner = controllerOf(fields, namespace);
      for (let steps = 0; owner !== undefined && steps < stepsMax; steps += 1) {
        const next = owners.get(objectKey(owner));
        if (next === undefined) break;
        owner = next;
      }
      return owner;
    },
  };
}

function controllerOf(fields: Fields, namespace: string | undefined): ObjectName | undefined {
  const metadata = metadataOf(fields);
  const references = metadata['ownerReferences'];
  if (!Array.isArray(references)) return undefined;
  const found = references.filter(isObject).find(({ controller }) => controller === true);
  if (found === undefined) return undefined;
  const kind = textOf(found['kind']);
  return {
    kind,
    // Nodes own their static pods, and have no namespace.
    ...(namespace !== undefined && kind !== 'Node' && { namespace }),
    name: textOf(found['name']),
  };
}

/** The name of an object of a list, whose items say no kind themselves. */
export function nameOf(fields: Fields, kind: string): ObjectName {
  const metadata = metadataOf(fields);
  const namespace = textOf(metadata['namespace']);
  return { kind, ...(namespace !== '' && { namespace }), name: textOf(metadata['name']) };
}

/** What an object names, apart from pods: nothing of it counts as running. */
export function* usesOfObject(fields: Fields, object: ObjectName): Iterable<ImageUse> {
  for (const place of imagePlaces(fields)) {
    const use = useOf(place, object, 0);
    if (use !== undefined) yield use;
  }
}

/**
 * What a pod names; each container that may run counts, and each volume of an image. A pod that something made is no place of its own where its owner
 * names the image too: then that is where it is changed. Where the owner does not, the pod is, once for all of that owner.
 */
export function* usesOfPod(
  fields: Fields,
  object: ObjectName,
  { owners, inventory }: { readonly owners: Owners; readonly inventory: Inventory },
): Iterable<ImageUse> {
  const owner = owners.of(fields, object.namespace);
  const status = isObject(fields['status']) ? fields['status'] : {};
  const isOver = status['phase'] === 'Succeeded' || status['phase'] === 'Failed';
  for (const place of imagePlaces(fields)) {
    // A container's, or that of a volume: a node pulls both.
    const isPulled = place.certainty === 'image' && place.path[0] === 'spec';
    const use = useOf(place, object, isPulled && !isOver ? 1 : 0);
    if (use === undefined) continue;
    if (owner === undefined) yield use;
    else if (!inventory.names(use.image, owner))
      yield { ...use, ...placeByOwner(use.place, owner) };
    else yield { image: use.image, certainty: use.certainty, count: use.count };
  }
}

function placeByOwner(
  place: ObjectPlace,
  { kind, namespace, name }: ObjectName,
): Pick<ImageUse, 'place' | 'samePlace'> {
  const owner = `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
  const note =
    kind === 'Node'
      ? `a static pod: its file is on node ${name}, mostly under /etc/kubernetes/manifests`
      : `made by ${owner}, whose own text does not name it: injected or rewritten when the pod was made`;
  return { place: { ...place, note }, samePlace: `${owner}\n${place.field}` };
}

function useOf(
  place: ImagePlace,
  object: ObjectName,
  count: number,
): (ImageUse & { readonly place: ObjectPlace }) | undefined {
  const { image, path, note } = place;
  const certainty = certaintyOf(place);
  // A chart's repository over https is no image, and has none.
  if (certainty === 'artifact' && !image.startsWith('oci://') && image.includes('://'))
    return undefined;
  return {
    image,
    certainty,
    count,
    place: { ...object, field: fieldText(path), ...(note !== undefined && { note }) },
  };
}

function metadataOf(fields: Fields): Fields {
  return isObject(fields['metadata']) ? fields['metadata'] : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
