import { sourceFiles } from '../folder/source-files.ts';
import type { TextPlace } from '../text/read-text.ts';
import { readSource } from '../text/read-source.ts';
import { certaintyOf } from './detection.ts';
import type { ImageUse, NotRead } from './detection.ts';

/** What a file says, or why it, or a part of it (`k8s/a.yaml:3:7`), can't be read. */
export type FileFinding = { readonly use: ImageUse } | { readonly problem: NotRead };

/**
 * The images that the files under a path name, each place once, file by file; `name` says how a file is named to people.
 * Bounded as `sourceFiles` is; throws where the path isn't there.
 */
export async function* usesInFiles(
  path: string,
  name: (file: string) => string,
  signal?: AbortSignal,
): AsyncGenerator<FileFinding> {
  for await (const file of sourceFiles(path, signal)) {
    const named = name(file.path);
    if ('problem' in file) {
      yield { problem: { what: named, why: file.problem } };
      continue;
    }
    yield* findingsInText(named, file.text);
  }
}

/** The same of one text. */
export function* findingsInText(file: string, text: string): Generator<FileFinding> {
  const { places, problems } = readSource(file, text);
  for (const { line, column, message } of problems)
    yield { problem: { what: `${file}:${line}:${column}`, why: message } };
  for (const place of places) {
    // A chart's repository over https is no image.
    const isAddress = place.form === 'artifact' && /^https?:\/\//.test(place.image);
    if (!isAddress) yield { use: useOf(file, place) };
  }
}

function useOf(file: string, read: TextPlace): ImageUse {
  const { image, field, line, column, note } = read;
  const place = { file, line, column, field, ...(note !== undefined && { note }) };
  return { image, certainty: certaintyOf(read), count: 1, place };
}
