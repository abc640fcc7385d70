import type { Command } from 'commander';
import type { TagView } from '../../contract/access-view.ts';
import { usageFailure } from '../command-failure.ts';
import type { CommandContext } from '../command-context.ts';
import { parseImageWords } from '../image-words.ts';
import type { OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList } from '../terminal/output.ts';
import type { LimitOptions } from '../server/pages.ts';
import { addLimitOption, askPages } from '../server/pages.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions, placeOf } from '../place-options.ts';
import type { ApiRequest } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { deleteEach } from '../several.ts';
import { formatBytes } from '../terminal/unit-words.ts';
import type { Column } from '../terminal/table.ts';

const deadlineMs = 30_000;

const listExamples = `
Examples:
  breakwater tags ls team/app
  breakwater tags ls docker.io/library/nginx -o name
`;

const removeExamples = `
Examples:
  # The tag alone: the image stays
  breakwater tags rm team/app:1.2
`;

type Options = ServerOptions & PlaceOptions;

export function addTagsCommand(program: Command, context: CommandContext): void {
  const tags = program
    .command('tags')
    .summary('tags of a repository')
    .description('Lists and deletes tags, of what is held here; upstream is not asked.')
    .helpCommand(false);
  addListCommand(tags, context);
  addRemoveCommand(tags, context);
}

function addListCommand(tags: Command, context: CommandContext): void {
  const command = tags
    .command('ls <repository>')
    .summary('list tags')
    .description('Lists the tags that are held of a repository, in their order.');
  addServerOptions(addPlaceOptions(addLimitOption(addOutputOptions(command))))
    .addHelpText('after', listExamples)
    .action(async (repository: string, options: Options & OutputOptions & LimitOptions) => {
      const request = { path: 'tags', query: { repository, ...placeOf(options) } };
      const list = await askPages<TagView>(request, options, context.terminal);
      await printList(context.terminal, options, list, {
        columns,
        name: (each) => `${repository}:${each.tag}`,
      });
    });
}

const columns: readonly Column<TagView>[] = [
  { header: 'TAG', value: (each) => each.tag },
  { header: 'DIGEST', value: (each) => each.digest },
  { header: 'FROM', value: (each) => each.provenance },
  { header: 'MANIFEST', value: (each) => formatBytes(each.size) },
  { header: 'LAST-PULLED', value: (each) => each.lastPulledAt ?? '-' },
  { header: 'VALIDATED', value: (each) => each.validatedAt, wide: true },
  { header: 'SOURCE', value: (each) => each.source ?? '-', wide: true },
  { header: 'TYPE', value: (each) => each.mediaType, wide: true },
];

function addRemoveCommand(tags: Command, context: CommandContext): void {
  const command = tags
    .command('rm <image...>')
    .summary('delete tags')
    .description('Deletes tags; the images that they name stay, under their digests.');
  addServerOptions(addPlaceOptions(command))
    .addHelpText('after', removeExamples)
    .action(async (images: readonly string[], options: Options) => {
      const requestOf = (image: string): ApiRequest => {
        const { repository, reference, isTag } = parseImageWords(image);
        if (!isTag)
          throw usageFailure(
            `${image} names no tag`,
            'breakwater images rm deletes an image by its digest',
          );
        return {
          path: 'tags',
          query: { repository, tag: reference, ...placeOf(options) },
          deadlineMs,
        };
      };
      await deleteEach(images, { command, context, options, requestOf });
    });
}
