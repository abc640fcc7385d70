import type { Command } from 'commander';
import type { Rewritten } from '../../domain/image-rewrite.ts';
import type { ImageSource } from '../../domain/names/image-source.ts';
import { parseImageSource } from '../../domain/names/image-source.ts';
import { createHostMove, renameBoth, renameMoved } from '../../kubernetes/rewrite/host-move.ts';
import type { Renamed, Renaming } from '../../kubernetes/rewrite/renaming.ts';
import type { CommandContext } from '../command-context.ts';
import { usageFailure } from '../command-failure.ts';
import type { MappingOptions } from '../move/mapping-source.ts';
import { addMappingOptions, findMapping } from '../move/mapping-source.ts';
import { reasonsUnchanged } from '../move/unchanged-reasons.ts';

export interface RenamingOptions extends MappingOptions {
  readonly from?: string;
  readonly to?: string;
  readonly moved?: boolean;
  readonly revert?: boolean;
}

/** A renaming, and what it was made of. */
export interface FoundRenaming {
  readonly rename: Renaming;
  /** For people. */
  readonly from: string;
}

/** Gives a command the options that say what becomes of images, with those that need no registry of ours. */
export function addRenamingOptions(command: Command): Command {
  return addMappingOptions(
    command
      .option(
        '--from <host>',
        'move images from this host, or host and path, to that of --to; no cache is asked',
      )
      .option('--to <host>', 'where images of --from are')
      .option(
        '--moved',
        'move images that are known to be elsewhere now; no cache is asked unless one is named',
      )
      .option('--revert', 'back: what images here, or those of --to, are called upstream'),
  );
}

/** Throws `USAGE` (2) where the options contradict each other, and what `findMapping` throws. */
export async function findRenaming(
  options: RenamingOptions,
  context: CommandContext,
): Promise<FoundRenaming> {
  const { from, to, moved = false, revert = false } = options;
  if ((from === undefined) !== (to === undefined))
    throw usageFailure(
      '--from and --to belong together',
      'such as --from k8s.gcr.io --to registry.k8s.io',
    );
  if (moved && revert)
    throw usageFailure('what has moved can’t be moved back', 'leave out --moved or --revert');
  if (from !== undefined && to !== undefined) {
    const [source, target] = [sourceOf('--from', from), sourceOf('--to', to)];
    const move = revert ? createHostMove(target, source) : createHostMove(source, target);
    const rename = moved ? renameBoth(renameMoved, move) : move;
    return { rename, from: revert ? `${to} → ${from}` : `${from} → ${to}` };
  }
  const isNamed = [options.registryHost, options.server, options.config, options.dataDir].some(
    (each) => each !== undefined,
  );
  if (moved && !isNamed) return { rename: renameMoved, from: 'the table of images that moved' };
  const found = await findMapping(options, context);
  const { mapping } = found;
  const rename: Renaming = (reference) =>
    renamed(revert ? mapping.revert(reference) : mapping.rewrite(reference));
  return { rename: moved ? renameBoth(renameMoved, rename) : rename, from: found.from };
}

function sourceOf(option: string, text: string): ImageSource {
  const source = parseImageSource(text);
  if (source !== undefined) return source;
  throw usageFailure(
    `${option} ${text} is no host by which images are named`,
    'write registry.example.com, registry.example.com:5000 or docker.io/bitnami, without https://',
  );
}

function renamed(rewritten: Rewritten): Renamed {
  if (rewritten.kind === 'unchanged')
    return { kind: 'unchanged', reason: reasonsUnchanged[rewritten.reason] };
  const { image, note } = rewritten;
  return { kind: 'rewritten', image, ...(note !== undefined && { note }) };
}
