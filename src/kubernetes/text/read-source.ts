import { basename, dirname, extname } from 'node:path';
import type { ReadText, TextProblem } from './read-text.ts';
import { lineIndex } from './line-index.ts';
import { YamlProblem } from './yaml-tree.ts';
import type { YamlForm } from './yaml-text.ts';
import { readYaml } from './yaml-text.ts';

/** Bytes of a file that is read for its images. */
export const sourceBytesMax: number = 16 * 1024 * 1024;

/** How a file is read, by its name; `undefined` for one that names no images. */
export type SourceFormat = 'yaml';

/** How a file of this name is read; `undefined` where it is no kind that names images. */
export function formatOf(path: string): SourceFormat | undefined {
  return /^\.(?:ya?ml|json)$/i.test(extname(path)) || basename(path) === 'Kustomization'
    ? 'yaml'
    : undefined;
}

/** Reads a text for its images. What can't be read is a problem with its place, and has none. */
export function readSource(path: string, text: string): ReadText {
  try {
    return readYaml(text, yamlForm(path));
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    return unreadable([{ ...lineIndex(text)(error.offset), message: error.message }]);
  }
}

function unreadable(problems: readonly TextProblem[]): ReadText {
  return { places: [], problems, check: () => undefined };
}

function yamlForm(path: string): YamlForm {
  const name = basename(path).toLowerCase();
  if (/^kustomization(?:\.ya?ml)?$/.test(name)) return 'kustomization';
  if (/(?:^|[._-])values(?:[._-].*)?\.(?:ya?ml|json)$/.test(name)) return 'values';
  if (/^chart\.ya?ml$/.test(name)) return 'chart';
  if (/(?:^|\.)gitlab-ci\.ya?ml$/.test(name)) return 'gitlab';
  if (/(?:^|[/\\])\.(?:github|gitea|forgejo)[/\\]workflows$/.test(dirname(path))) return 'actions';
  if (/^action\.ya?ml$/.test(name)) return 'actions';
  if (/^(?:docker-)?compose(?:[._-].*)?\.ya?ml$/.test(name)) return 'compose';
  if (/^skaffold(?:[._-].*)?\.ya?ml$/.test(name)) return 'skaffold';
  return undefined;
}
