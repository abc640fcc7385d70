import { isObject } from '../../domain/json.ts';
import { dockerHub } from '../../domain/names/host-name.ts';
import { parseImageName } from '../../domain/names/image-name.ts';
import type { HubEstimate } from './detection.ts';

const hours = 24;
const windowHours = 6;
const pairsMax = 200_000;
/** For each six hours, as Docker's manual has had them since 2020 (docker/docs, pull request 20774); its pull request 22134 announced 10 and 100 an hour for 2025. */
const limits = { anonymousLimit: 100, accountLimit: 200 };
const basis =
  'each container with an image of docker.io in a pod that began within 24 hours counts as one pull, although a node that has the image asks for no manifest unless imagePullPolicy is Always; pods that are gone already are not seen; the limit holds for each address that Docker Hub sees: nodes behind one NAT share it';

export interface HubPulls {
  note(pod: Readonly<Record<string, unknown>>): void;
  /** `null` where no pod uses Docker Hub. */
  estimate(): HubEstimate | null;
}

/** Counts pods by the hour in which they began; `now` in milliseconds since 1970. */
export function createHubPulls(now: number): HubPulls {
  const byHour = Array.from({ length: hours }, () => 0);
  const pairs = new Set<string>();
  return {
    note(pod) {
      const spec = isObject(pod['spec']) ? pod['spec'] : {};
      const metadata = isObject(pod['metadata']) ? pod['metadata'] : {};
      const images = ['initContainers', 'containers']
        .flatMap((list) => (Array.isArray(spec[list]) ? (spec[list] as unknown[]) : []))
        .flatMap((container) => (isObject(container) ? [String(container['image'])] : []))
        .filter((image) => parseImageName(image)?.host === dockerHub);
      const began = Date.parse(String(metadata['creationTimestamp']));
      const hour = Math.floor((now - began) / 3_600_000);
      const known = byHour[hour];
      if (known !== undefined) byHour[hour] = known + images.length;
      for (const image of images)
        if (pairs.size < pairsMax) pairs.add(`${String(spec['nodeName'])}\n${image}`);
    },
    estimate() {
      if (pairs.size === 0) return null;
      const all = byHour.reduce((sum, each) => sum + each, 0);
      const windows = byHour.map((_, from) =>
        byHour.slice(from, from + windowHours).reduce((sum, each) => sum + each, 0),
      );
      return {
        perHour: Math.round((all / hours) * 10) / 10,
        busiestSixHours: Math.max(...windows),
        toRenewNodes: pairs.size,
        ...limits,
        basis,
      };
    },
  };
}
