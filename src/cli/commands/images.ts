import type { Command } from 'commander';
import type { ImageDetailView, ImageView } from '../../contract/access-view.ts';
import type { CommandContext } from '../command-context.ts';
import { parseImageWords } from '../image-words.ts';
import type { OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printText } from '../terminal/output.ts';
import type { LimitOptions } from '../server/pages.ts';
import { addLimitOption, askPages } from '../server/pages.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions, placeOf } from '../place-options.ts';
import type { ApiRequest } from '../server/server-client.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { deleteEach } from '../several.ts';
import { formatBytes } from '../terminal/unit-words.ts';
import type { Column } from '../terminal/table.ts';
import { alignRows, printable } from '../terminal/table.ts';

const deadlineMs = 30_000;

const listExamples = `
Examples:
  # The newest first
  breakwater images ls team/app --limit 10
`;

const getExamples = `
Examples:
  breakwater images get team/app:1.2
  breakwater images get team/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 -o json
`;

const removeExamples = `
Examples:
  # The image with all of its tags
  breakwater images rm team/app:1.2
`;

type Options = ServerOptions & PlaceOptions;

export function addImagesCommand(program: Command, context: CommandContext): void {
  const images = program
    .command('images')
    .summary('images of a repository')
    .description('Lists, shows and deletes images, of what is held here; upstream is not asked.')
    .helpCommand(false);
  addListCommand(images, context);
  addGetCommand(images, context);
  addRemoveCommand(images, context);
}

function addListCommand(images: Command, context: CommandContext): void {
  const command = images
    .command('ls <repository>')
    .summary('list images')
    .description('Lists the images that are held of a repository, the newest first.');
  addServerOptions(addPlaceOptions(addLimitOption(addOutputOptions(command))))
    .addHelpText('after', listExamples)
    .action(async (repository: string, options: Options & OutputOptions & LimitOptions) => {
      const request = { path: 'images', query: { repository, ...placeOf(options) } };
      const list = await askPages<ImageView>(request, options, context.terminal);
      await printList(context.terminal, options, list, {
        columns,
        name: (each) => `${repository}@${each.digest}`,
      });
    });
}

const columns: readonly Column<ImageView>[] = [
  { header: 'DIGEST', value: (each) => each.digest },
  { header: 'TAGS', value: (each) => each.tags.join(',') || '-' },
  { header: 'FROM', value: (each) => each.provenance },
  { header: 'SIZE', value: (each) => formatBytes(each.size) },
  { header: 'CREATED', value: (each) => each.createdAt },
  { header: 'LAST-PULLED', value: (each) => each.lastPulledAt ?? '-' },
  { header: 'TYPE', value: (each) => each.artifactType ?? each.mediaType, wide: true },
  { header: 'SUBJECT', value: (each) => each.subject ?? '-', wide: true },
];

function addGetCommand(images: Command, context: CommandContext): void {
  const command = images
    .command('get <image>')
    .summary('show one image')
    .description(
      'Shows an image by tag or digest: what its manifest names, and what refers to it.',
    );
  addServerOptions(addPlaceOptions(addOutputOptions(command)))
    .addHelpText('after', getExamples)
    .action(async (image: string, options: Options & OutputOptions) => {
      const { terminal } = context;
      const { repository, reference } = parseImageWords(image);
      const query = { repository, reference, ...placeOf(options) };
      const request = { path: 'image', query, deadlineMs };
      const found = await askServer<ImageDetailView>(request, options, terminal);
      await printText(terminal, options, found, {
        name: () => `${found.repository}@${found.digest}`,
        text: () => renderImage(found),
      });
    });
}

function renderImage(found: ImageDetailView): string {
  const { tag } = found;
  const rows = [
    ['image', `${found.repository}@${found.digest}`],
    ['type', found.mediaType],
    ['manifest', formatBytes(found.size)],
    ...(tag === null
      ? []
      : [
          ['tag', tag.name],
          ['from', tag.source === null ? tag.provenance : `${tag.provenance}, ${tag.source}`],
          ['validated', tag.validatedAt],
          ...tag.history
            .slice(1)
            .map(({ digest, seenAt }) => ['before', `${digest}, seen ${seenAt}`]),
        ]),
    ...found.children.map((child) => [
      child.role,
      `${child.digest}  ${formatBytes(child.size)}  ${child.platform ?? child.mediaType}`,
    ]),
    ...found.referrers.map((each) => [
      'referrer',
      `${each.digest}  ${formatBytes(each.size)}  ${each.artifactType ?? each.mediaType}`,
    ]),
  ];
  return alignRows(rows.map((row) => row.map(printable)));
}

function addRemoveCommand(images: Command, context: CommandContext): void {
  const command = images
    .command('rm <image...>')
    .summary('delete images')
    .description('Deletes images by tag or digest, with every tag that names them.');
  addServerOptions(addPlaceOptions(command))
    .addHelpText('after', removeExamples)
    .action(async (images: readonly string[], options: Options) => {
      const requestOf = (image: string): ApiRequest => {
        const { repository, reference } = parseImageWords(image);
        const query = { repository, reference, ...placeOf(options) };
        return { path: 'image', query, deadlineMs };
      };
      await deleteEach(images, { command, context, options, requestOf });
    });
}
