import { sourceFiles } from '../folder/source-files.ts';
import type { TextPlace } from '../text/read-text.ts';
import { readSource } from '../text/read-source.ts';
import type { ImageUse } from './detection.ts';

/** What a file says, or why it can't be read: `k8s/a.yaml:3:7: …`, a sentence without a full stop. */
export type FileFinding = { readonly use: ImageUse } | { readonly problem: string };

/**
 * The images that the files under a path name, each place once, file by file; `name` says how a file is named to people. What
 * only begins images (`registry.k8s.io`) is no image and is left out. Bounded as `sourceFiles` is; throws where the path isn't there.
 */
export async function* usesInFiles(
  path: string,
  name: (file: string) => string,
  signal?: AbortSignal,
): AsyncGenerator<FileFinding> {
  for await (const file of sourceFiles(path, signal)) {
    const named = name(file.path);
    if ('problem' in file) {
      yield { problem: `${named}: ${file.problem}` };
      continue;
    }
    yield* findingsInText(named, file.text);
  }
}

/** The same of one text. */
export function* findingsInText(file: string, text: string): Generator<FileFinding> {
  const { places, problems } = readSource(file, text);
  for (const { line, column, message } of problems)
    yield { problem: `${file}:${line}:${column}: ${message}` };
  for (const place of places) if (place.form !== 'prefix') yield { use: useOf(file, place) };
}

function useOf(file: string, { image, certainty, field, line, column, note }: TextPlace): ImageUse {
  const place = { file, line, column, field, ...(note !== undefined && { note }) };
  return { image: image.replace(/^oci:\/\//, ''), certainty, count: 1, place };
}
