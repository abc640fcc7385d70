import type { FieldPath } from '../places/image-place.ts';
import { sameLexemes } from './lexeme-comparison.ts';
import { parsePlainYaml, plainDifference, plainScalarAt, plainValue } from './plain-yaml.ts';
import type { TextEdit } from './read-text.ts';
import type { ScalarNode } from './scalar-slot.ts';
import { differenceOf, parseYaml, YamlProblem } from './yaml-tree.ts';

/** One document of a YAML or JSON text: its values, every scalar as the text that it is, and where they stand. */
export interface YamlDocument {
  /** Maps, lists and texts. */
  readonly value: unknown;
  /** The scalar at a path, through aliases and merges; `undefined` for all else. */
  scalarAt(path: FieldPath): ScalarNode | undefined;
}

export interface YamlDocuments {
  readonly documents: readonly YamlDocument[];
  /** Reads the text that edits made, and says where it says something else beside the scalars that were to change; `undefined`: nowhere. */
  difference(
    edited: string,
    edits: readonly TextEdit[],
    changed: ReadonlyMap<ScalarNode, string>,
  ): string | undefined;
}

/** Reads a YAML or JSON text: what is plain at once, all else by the library. Throws `YamlProblem` where it is none, or has more aliases or nesting than anything real. */
export function readDocuments(text: string): YamlDocuments {
  const plain = parsePlainYaml(text);
  if (plain === undefined) return byLibrary(text);
  return {
    documents: plain.map((root) => ({
      value: root && plainValue(root),
      scalarAt: (path) => plainScalarAt(root, path),
    })),
    difference(edited, _edits, changed) {
      const after = parsePlainYaml(edited);
      if (after === undefined) return 'it would be written in another way';
      return plainDifference(plain, after, changed);
    },
  };
}

function byLibrary(text: string): YamlDocuments {
  const { trees, lexemes } = parseYaml(text);
  return {
    documents: trees,
    difference(edited, edits, changed) {
      if (sameLexemes(lexemes, edits, edited)) return undefined;
      try {
        return differenceOf(trees, parseYaml(edited).trees, changed);
      } catch (error) {
        if (error instanceof YamlProblem) return `it could not be read again: ${error.message}`;
        throw error;
      }
    },
  };
}
