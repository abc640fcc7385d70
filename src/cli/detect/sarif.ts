import type {
  DetectedImage,
  DetectedPolicy,
  Detection,
  Flag,
  FlagName,
  UsePlace,
} from '../../kubernetes/detect/detection.ts';

type RuleId = FlagName | 'old-host';

/** What each flag, and a policy that names only an old host, is to a code scanner. */
const rules: Readonly<
  Record<RuleId, { readonly level: 'error' | 'warning' | 'note'; readonly text: string }>
> = {
  gone: { level: 'error', text: 'The image was deleted from its registry.' },
  moved: { level: 'error', text: 'The image can be pulled from another registry alone.' },
  frozen: { level: 'warning', text: 'The image gets no update there any more.' },
  'no-image-name': { level: 'error', text: 'No node can pull this name.' },
  'no-rule': { level: 'warning', text: 'No rule of the cache leads to the image.' },
  'too-long': { level: 'warning', text: 'Its name behind the cache is too long.' },
  'old-host': {
    level: 'warning',
    text: 'A policy lets a host through, and not the one that follows it.',
  },
  unpinned: { level: 'note', text: 'The tag may mean another image tomorrow.' },
  review: { level: 'note', text: 'It may be an image: a person has to look.' },
};
const ids = Object.keys(rules) as RuleId[];

/** The flags as SARIF 2.1.0, one result a flag and place (docs.oasis-open.org/sarif/sarif/v2.1.0). */
export function sarifOf({ items, policies }: Detection, version: string): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'breakwater detect',
            version,
            rules: ids.map((id) => ({
              id,
              shortDescription: { text: rules[id].text },
              defaultConfiguration: { level: rules[id].level },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: [
          ...items.flatMap((item) =>
            item.flags.flatMap((flag) => item.places.map((place) => resultOf(item, flag, place))),
          ),
          ...policies.filter(({ finding }) => finding === 'old-host').map(resultOfPolicy),
        ],
      },
    ],
  };
}

function resultOf({ image }: DetectedImage, flag: Flag, place: UsePlace): object {
  const now = flag.now === undefined ? '' : ` Now: ${flag.now}.`;
  return {
    ruleId: flag.flag,
    ruleIndex: ids.indexOf(flag.flag),
    level: rules[flag.flag].level,
    message: { text: `${image}: ${flag.text}.${now}` },
    locations: [locationOf(place)],
  };
}

function resultOfPolicy({ text, ...object }: DetectedPolicy): object {
  return {
    ruleId: 'old-host',
    ruleIndex: ids.indexOf('old-host'),
    level: rules['old-host'].level,
    message: { text: `${object.kind} ${object.name}: ${text}.` },
    locations: [locationOf({ ...object, field: 'spec' })],
  };
}

function locationOf(place: UsePlace): object {
  if ('file' in place)
    return {
      physicalLocation: {
        artifactLocation: { uri: uriOf(place.file) },
        region: { startLine: place.line, startColumn: place.column },
      },
    };
  const { kind, namespace, name, field } = place;
  const object = [kind, namespace, name].filter((part) => part !== undefined).join('/');
  return {
    logicalLocations: [{ name, kind: 'resource', fullyQualifiedName: `${object}/${field}` }],
  };
}

/** As RFC 3986 has it: absolute paths are `file:` URLs, of others slashes stay and everything else that means something is encoded. */
function uriOf(file: string): string {
  const parts = file.replaceAll('\\', '/').split('/');
  const uri = parts.map((part) => encodeURIComponent(part)).join('/');
  return uri.startsWith('/') ? `file://${uri}` : uri;
}
