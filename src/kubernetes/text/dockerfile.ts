import type { ReadText } from './read-text.ts';
import { linesOf, literalSlot, scannedText } from './scanned-text.ts';
import type { ScannedPlace } from './scanned-text.ts';

/**
 * Reads a Dockerfile: the images of `FROM`, of `COPY --from` and `RUN --mount=from=`, of the `# syntax=` line, and defaults of
 * arguments that are a whole image of a `FROM`. Names of stages and `scratch` are none
 * (https://docs.docker.com/reference/dockerfile/).
 */
export function readDockerfile(text: string): ReadText {
  return scannedText(text, scanDockerfile);
}

/** A word of an instruction, with where it stands. */
interface Word {
  readonly text: string;
  readonly offset: number;
}

/** Lines that belong together, without comments; `words` has the instruction first. */
interface Instruction {
  readonly words: readonly Word[];
}

function scanDockerfile(text: string): readonly ScannedPlace[] {
  const instructions = [...instructionsOf(text)];
  const found: ScannedPlace[] = [];
  const syntax = /^\ufeff?#[ \t]*syntax[ \t]*=[ \t]*(\S+)/i.exec(text);
  if (syntax?.[1] !== undefined) {
    const offset = syntax[0].length - syntax[1].length;
    found.push(placeOf({ text: syntax[1], offset }, '# syntax'));
  }
  const stages = new Set<string>();
  const defaults = new Map<string, Word>();
  const named = new Set<string>();
  for (const instruction of instructions) {
    const { words } = instruction;
    const [first] = words;
    switch (first?.text.toUpperCase()) {
      case 'ARG':
        for (const word of words.slice(1)) noteDefault(word, defaults);
        break;
      case 'FROM':
        found.push(...fromPlaces(words, { stages, defaults, named }));
        break;
      case 'COPY':
      case 'ADD':
      case 'RUN':
      case 'ONBUILD':
        found.push(...copyPlaces(words, stages));
        break;
      case undefined:
      default:
    }
  }
  return found.toSorted((a, b) => a.offset - b.offset);
}

interface Known {
  /** In lower case, and the numbers of stages without a name. */
  readonly stages: Set<string>;
  readonly defaults: ReadonlyMap<string, Word>;
  /** Arguments whose default was found as an image. */
  readonly named: Set<string>;
}

function fromPlaces(
  words: readonly Word[],
  { stages, defaults, named }: Known,
): readonly ScannedPlace[] {
  const [word, as, stage] = words.slice(1).filter(({ text }) => !text.startsWith('--'));
  if (word === undefined) return [];
  const isKnown = stages.has(word.text.toLowerCase());
  stages.add(String([...stages].filter((name) => /^\d+$/.test(name)).length));
  if (as?.text.toUpperCase() === 'AS' && stage !== undefined) stages.add(stage.text.toLowerCase());
  if (isKnown || word.text === 'scratch') return [];
  const variable = /^\$(?:\{(\w+)\}|(\w+))$/.exec(word.text);
  const name = variable?.[1] ?? variable?.[2];
  if (name === undefined) return [placeOf(word, 'FROM')];
  const value = defaults.get(name);
  if (value === undefined || named.has(name)) return [];
  named.add(name);
  return [placeOf(value, `ARG ${name}`)];
}

/** `--from=image` and `--mount=type=bind,from=image`. */
function copyPlaces(words: readonly Word[], stages: ReadonlySet<string>): readonly ScannedPlace[] {
  return words.flatMap(({ text, offset }) => {
    const from = /^(--from=|--mount=(?:.*,)?from=)([^,]+)/.exec(text);
    const [, before = '', image = ''] = from ?? [];
    if (from === null || stages.has(image.toLowerCase()) || /^\d+$/.test(image)) return [];
    return [
      placeOf(
        { text: image, offset: offset + before.length },
        before.startsWith('--f') ? '--from' : '--mount',
      ),
    ];
  });
}

function noteDefault({ text, offset }: Word, defaults: Map<string, Word>): void {
  const equals = text.indexOf('=');
  if (equals < 0) return;
  const quoted = /^(["'])(.*)\1$/.exec(text.slice(equals + 1));
  const value = quoted?.[2] ?? text.slice(equals + 1);
  const start = offset + equals + 1 + (quoted === null ? 0 : 1);
  if (value !== '') defaults.set(text.slice(0, equals), { text: value, offset: start });
}

function placeOf({ text, offset }: Word, field: string): ScannedPlace {
  return { image: text, certainty: 'image', field, offset, whole: literalSlot(text, offset) };
}

/** Continued lines are one; comments and blank lines between them are nothing; what a here-document holds is none. */
function* instructionsOf(text: string): Generator<Instruction> {
  const mark = /^\ufeff?#[ \t]*escape[ \t]*=[ \t]*`/im.test(text.slice(0, 1000)) ? '`' : '\\';
  let words: Word[] = [];
  let heredoc: string | undefined;
  for (const { line, offset } of linesOf(text)) {
    const bare = line.replace(/\r$/, '');
    if (heredoc !== undefined) {
      if (bare.trim() === heredoc) heredoc = undefined;
      continue;
    }
    if (/^\ufeff?[ \t]*(?:#|$)/.test(bare)) continue;
    const isContinued = bare.trimEnd().endsWith(mark);
    const content = isContinued ? bare.trimEnd().slice(0, -1) : bare;
    for (const { 0: word, index } of content.matchAll(/[^\s\ufeff]+/g))
      words.push({ text: word, offset: offset + index });
    if (isContinued) continue;
    if (/^(?:RUN|COPY|ADD)$/i.test(words[0]?.text ?? ''))
      heredoc = words
        .map((word) => /^\d*<<-?["']?(\w+)["']?$/.exec(word.text)?.[1])
        .find((each) => each !== undefined);
    yield { words };
    words = [];
  }
  if (words.length > 0) yield { words };
}
