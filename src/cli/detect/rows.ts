import type {
  DetectedHost,
  DetectedImage,
  DetectedPolicy,
  Detection,
  HubEstimate,
  UsePlace,
} from '../../kubernetes/detect/detection.ts';
import type { CsvColumn } from '../terminal/csv.ts';
import type { Column } from '../terminal/table.ts';
import { renderTable } from '../terminal/table.ts';

/** An image as a line of the table; what it becomes only where a cache is known. */
export function imageColumns(isHostKnown: boolean): readonly Column<DetectedImage>[] {
  return isHostKnown ? allColumns : allColumns.filter((column) => column !== becomes);
}

const becomes: Column<DetectedImage> = {
  header: 'BECOMES',
  value: (item) => item.becomes ?? (item.reason === 'ours' ? 'ours already' : '-'),
};
const allColumns: readonly Column<DetectedImage>[] = [
  { header: 'IMAGE', value: ({ image }) => image },
  { header: 'COUNT', value: ({ count }) => String(count) },
  { header: 'FLAGS', value: ({ flags }) => flags.map(({ flag }) => flag).join(',') || '-' },
  { header: 'NOW', value: ({ flags }) => flags.find(({ now }) => now !== undefined)?.now ?? '-' },
  becomes,
  { header: 'WHERE', value: placesText, wide: true },
];

function placesText({ places, morePlaces }: DetectedImage): string {
  const [first] = places;
  if (first === undefined) return '-';
  const more = places.length - 1 + morePlaces;
  return more === 0 ? placeText(first) : `${placeText(first)} and ${more} more`;
}

/** `deploy.yaml:12:16`, `Deployment default/web spec.template.spec.containers[0].image`. */
function placeText(place: UsePlace): string {
  if ('file' in place) return `${place.file}:${place.line}:${place.column}`;
  return `${objectText(place)} ${place.field}`;
}

function objectText({
  kind,
  namespace,
  name,
}: {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

export interface PlaceRow extends DetectedImage {
  readonly place: UsePlace;
}

/** One row a place. */
export function* placeRows({ items }: Detection): Iterable<PlaceRow> {
  for (const item of items) for (const place of item.places) yield { ...item, place };
}

export const placeColumns: readonly CsvColumn<PlaceRow>[] = [
  { header: 'image', value: ({ image }) => image },
  { header: 'count', value: ({ count }) => count },
  { header: 'certainty', value: ({ certainty }) => certainty },
  { header: 'flags', value: ({ flags }) => flags.map(({ flag }) => flag).join(' ') },
  { header: 'now', value: ({ flags }) => flags.find(({ now }) => now !== undefined)?.now },
  { header: 'becomes', value: (row) => row.becomes ?? undefined },
  { header: 'kind', value: ({ place }) => ('file' in place ? undefined : place.kind) },
  { header: 'namespace', value: ({ place }) => ('file' in place ? undefined : place.namespace) },
  { header: 'name', value: ({ place }) => ('file' in place ? undefined : place.name) },
  { header: 'field', value: ({ place }) => place.field },
  { header: 'file', value: ({ place }) => ('file' in place ? place.file : undefined) },
  { header: 'line', value: ({ place }) => ('file' in place ? place.line : undefined) },
  { header: 'column', value: ({ place }) => ('file' in place ? place.column : undefined) },
];

const hostColumns: readonly Column<DetectedHost>[] = [
  { header: 'HOST', value: ({ host }) => host },
  { header: 'IMAGES', value: ({ images }) => String(images) },
  { header: 'COUNT', value: ({ count }) => String(count) },
  { header: 'EGRESS', value: ({ egress }) => egress.join(',') },
  { header: 'NOTE', value: ({ note }) => note ?? '-', wide: true },
];

const policyColumns: readonly Column<DetectedPolicy>[] = [
  { header: 'POLICY', value: objectText },
  { header: 'FINDING', value: ({ finding }) => finding },
  { header: 'NAMES', value: ({ names }) => names.join(',') },
  { header: 'WHY', value: ({ text }) => text, wide: true },
];

/** What is said for people below the images: registries, policies, and Docker Hub's limit. */
export function renderRest({ hosts, policies, dockerHub }: Detection, wide: boolean): string {
  const look = { wide, headers: true };
  const parts = [
    hosts.length > 0 ? renderTable(hosts, hostColumns, look) : '',
    policies.length > 0 ? renderTable(policies, policyColumns, look) : '',
    dockerHub === null ? '' : hubText(dockerHub),
  ];
  return parts.map((part) => (part === '' ? '' : `\n${part}`)).join('');
}

function hubText(found: HubEstimate): string {
  const { perHour, busiestSixHours, toRenewNodes, anonymousLimit, accountLimit, basis } = found;
  return [
    `Docker Hub: about ${perHour} pulls an hour, ${busiestSixHours} in the busiest six hours of the last 24, ${toRenewNodes} to renew every node.`,
    `It allows ${anonymousLimit} in six hours to an address without a login, ${accountLimit} to a free account.`,
    `An estimate: ${basis}.`,
    '',
  ].join('\n');
}
