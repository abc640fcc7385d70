import { basename, dirname, extname } from 'node:path';
import type { ReadText, TextProblem } from './read-text.ts';
import { readDockerfile } from './dockerfile.ts';
import { readHcl } from './hcl.ts';
import { lineIndex } from './line-index.ts';
import { readScript, readTemplate } from './scanned-text.ts';
import { YamlProblem } from './yaml-tree.ts';
import type { YamlForm } from './yaml-text.ts';
import { readYaml } from './yaml-text.ts';

/** Bytes of a file that is read for its images. */
export const sourceBytesMax: number = 16 * 1024 * 1024;

/** How a file is read. */
export type SourceFormat = 'yaml' | 'template' | 'dockerfile' | 'hcl' | 'script';

/** How a file of this name is read; `undefined` where it is no kind that names images. */
export function formatOf(path: string): SourceFormat | undefined {
  const name = basename(path);
  if (/^(?:.*[._-])?(?:Dockerfile|Containerfile)(?:[._-].*)?$/i.test(name)) return 'dockerfile';
  if (/^(?:GNU)?[Mm]akefile$/.test(name) || name === 'Jenkinsfile' || name === 'Tiltfile')
    return 'script';
  if (name === 'Kustomization') return 'yaml';
  switch (extname(name).toLowerCase()) {
    case '.yaml':
    case '.yml':
    case '.json':
      return 'yaml';
    case '.tpl':
      return 'template';
    case '.tf':
    case '.tfvars':
    case '.hcl':
    case '.nomad':
      return 'hcl';
    case '.sh':
    case '.bash':
    case '.mk':
      return 'script';
    default:
      return undefined;
  }
}

/** Reads a text for its images. What can't be read is a problem with its place, and has none. */
export function readSource(path: string, text: string): ReadText {
  switch (formatOf(path) ?? (text.startsWith('#!') ? 'script' : 'yaml')) {
    case 'template':
      return readTemplate(text);
    case 'dockerfile':
      return readDockerfile(text);
    case 'hcl':
      return readHcl(text);
    case 'script':
      return readScript(text);
    case 'yaml':
      return readYamlOrTemplate(path, text);
  }
}

/** Reads objects that were rendered, whatever file they came from: braces in them are text, and none is a template or a chart's values. */
export function readManifests(text: string): ReadText {
  try {
    return readYaml(text, undefined);
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    return unreadable([{ ...lineIndex(text)(error.offset), message: error.message }]);
  }
}

/** What is in a chart's folder of templates, and what is no YAML but has the marks of a template, is one. */
function readYamlOrTemplate(path: string, text: string): ReadText {
  const hasMarks = /\{\{|\{%/.test(text);
  if (hasMarks && /(?:^|[/\\])templates[/\\]/.test(path)) return readTemplate(text);
  try {
    return readYaml(text, yamlForm(path));
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    if (hasMarks) return readTemplate(text);
    // JSON with comments, as editors' and compilers' settings are: nobody is told of what has nothing to do with images.
    if (/\.json$/i.test(path) && !/image|registry|repository/i.test(text)) return unreadable([]);
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
