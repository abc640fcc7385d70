import type { Command } from 'commander';
import type { ImageMapping, MappingRow, UnchangedReason } from '../../domain/image-rewrite.ts';
import { sourceText } from '../../domain/names/image-source.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList } from '../terminal/output.ts';
import type { MappingOptions } from './mapping-source.ts';
import { addMappingOptions, findMapping } from './mapping-source.ts';

const listBytesMax = 64 * 1024 * 1024;

const examples = `
Examples:
  # What becomes of images, by the rules of the server that runs here
  breakwater map nginx:1.27 quay.io/prometheus/node-exporter:v1.9.1

  # The whole table, for a host that is to be
  breakwater map --registry-host registry.example.com

  # Away from an ECR that the webhook ecr-pull-through writes before images
  breakwater map --mapping configmap.yaml --registry-host registry.example.com nginx

  # One line in, one line out
  kubectl get pods -A -o jsonpath='{.items[*].spec.containers[*].image}' | tr ' ' '\\n' | sort -u |
    breakwater map - -o name

  # What an image of ours is called upstream
  breakwater map --revert registry.example.com/docker.io/library/nginx:1.27
`;

interface Options extends MappingOptions, OutputOptions {
  readonly revert?: boolean;
}

/** What becomes of one image, as `-o json` prints it. */
interface MappedImage {
  readonly image: string;
  /** The same as `image` where it stays. */
  readonly becomes: string;
  readonly changed: boolean;
  /** Why it stays; `null` where it doesn't. */
  readonly reason: UnchangedReason | null;
  /** The prefix of the rule; `null` where none leads there. */
  readonly rule: string | null;
  readonly note: string | null;
}

export function addMapCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('map [image...]')
    .summary('say what becomes of images where this registry stands before all others')
    .description(
      'Says what each image becomes, and why; - reads images from stdin, one a line. Without an image it prints the table of hosts and paths, longest path first; -o wide has the paths of mirrors too, that begin with a host.',
    )
    .option('--revert', 'say what images of this registry are called upstream');
  addMappingOptions(addOutputOptions(command))
    .addHelpText('after', examples)
    .action(async (words: readonly string[], options: Options) => {
      const { terminal } = context;
      const { mapping, from } = await findMapping(options, context);
      remark(command, context, `by ${from}`);
      if (words.length === 0) {
        return printList(
          terminal,
          options,
          { items: rowsShown(mapping, options) },
          rowLook(mapping),
        );
      }
      const lines = words.includes('-') ? await readLines(context) : [];
      const images = words.flatMap((word) => (word === '-' ? lines : [word]));
      const items = images.map((image) => mapped(image, mapping, options));
      await printList(terminal, options, { items }, imageLook);
    });
}

async function readLines({ terminal }: CommandContext): Promise<readonly string[]> {
  const text = await terminal.input(listBytesMax);
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function mapped(image: string, mapping: ImageMapping, { revert }: Options): MappedImage {
  const found = revert === true ? mapping.revert(image) : mapping.rewrite(image);
  if (found.kind === 'unchanged')
    return { image, becomes: image, changed: false, reason: found.reason, rule: null, note: null };
  const { image: becomes, prefix, note = null } = found;
  return { image, becomes, changed: true, reason: null, rule: prefix || null, note };
}

const imageLook: Look<MappedImage> = {
  name: ({ becomes }) => becomes,
  columns: [
    { header: 'IMAGE', value: ({ image }) => image },
    { header: 'BECOMES', value: ({ becomes, changed }) => (changed ? becomes : '-') },
    { header: 'WHY', value: why },
  ],
};

function why({ reason, rule, note }: MappedImage): string {
  if (reason !== null) return reasonWords[reason];
  return [rule === null ? 'its path stays' : `rule ${rule}`, ...(note === null ? [] : [note])].join(
    '; ',
  );
}

const reasonWords: Readonly<Record<UnchangedReason, string>> = {
  'no image name': 'is no image name',
  ours: 'is of this registry already',
  'not ours': 'is not of this registry',
  'no rule': 'no rule leads there',
  'too long': 'would have more than 255 characters',
  'cannot be told': 'what its rule leads to is no host of an image name',
};

/** For people without the paths of mirrors, by which `docker.io/docker.io/nginx` is `docker.io/nginx`. */
function rowsShown({ rows }: ImageMapping, { output }: Options): readonly MappingRow[] {
  return output === 'table' || output === 'name'
    ? rows.filter(({ path }) => !/^[^/]*[.:]|^localhost(?:\/|$)/.test(path))
    : rows;
}

function rowLook({ registryHost }: ImageMapping): Look<MappingRow> {
  const to = (repository: string | undefined): string =>
    repository === undefined ? '-' : `${registryHost}/${repository}`.replace(/\/$/, '');
  return {
    name: sourceText,
    columns: [
      { header: 'FROM', value: (row) => `${sourceText(row)}${row.exact ? '' : '/…'}` },
      {
        header: 'TO',
        value: (row) => `${to(row.to)}${row.exact || row.to === undefined ? '' : '/…'}`,
      },
      {
        header: 'ONE-PART-NAMES',
        value: (row) =>
          row.exact || row.toOne === row.to
            ? '-'
            : `${to(row.toOne)}${row.toOne === undefined ? '' : '/…'}`,
      },
      { header: 'ALSO-CALLED', value: ({ aliases }) => aliases.join(',') || '-' },
    ],
  };
}
