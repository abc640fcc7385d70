// What several clients were told about one upload, and whether any order of their requests explains it.
import { patterned } from './push-model.ts';
import { digestOf } from '../samples/digest.ts';

/** What an answer says: `range` is where the upload is, `undefined` where it says nothing of that. */
export interface Told {
  readonly status: number;
  readonly range: string | undefined;
}

/** Bytes of the upload's text from `begin` on; `ranged`: the request says so. */
export interface Piece {
  readonly begin: number;
  readonly length: number;
  readonly ranged: boolean;
}

export type Asked =
  | { readonly kind: 'append'; readonly piece: Piece }
  | { readonly kind: 'finish'; readonly piece: Piece; readonly digest: string }
  /** A body that breaks off after these bytes, whichever request it belongs to; nobody hears an answer. */
  | { readonly kind: 'broken'; readonly piece: Piece }
  | { readonly kind: 'status' }
  | { readonly kind: 'cancel' }
  /** Into another repository: 201 where this one holds the blob. */
  | { readonly kind: 'mount'; readonly digest: string };

/** A request with the moments between which it took effect; one that broke off may do so any time later, or never. */
export interface Call {
  readonly asked: Asked;
  readonly began: number;
  readonly ended: number;
  readonly told: Told | undefined;
}

interface State {
  readonly open: boolean;
  readonly size: number;
  /** `begin+length` of what was appended, in its order. */
  readonly pieces: readonly string[];
  /** Digests of blobs that the repository holds. */
  readonly held: readonly string[];
}

interface Step {
  readonly call: Call;
  /** The second step of a finish: the upload is gone before the blob is there. */
  readonly after: number | undefined;
}

/** Wider than this nothing arrives in one piece for certain. */
export const wholeBytesMax = 1000;

/** True where the calls could have come one after the other, each as long as it lasted, with just these answers. */
export function isExplained(salt: number, calls: readonly Call[]): boolean {
  const steps = calls.map((call): Step => ({ call, after: undefined }));
  for (const [index, call] of calls.entries()) {
    if (call.asked.kind === 'finish' && call.told?.status === 201)
      steps.push({ call, after: index });
  }
  const sizes = calls.flatMap(({ told }) => sizeOf(told?.range) ?? []);
  const seen = new Set<string>();
  const digests = new Map<string, string>();
  const contentDigest = (pieces: readonly string[]): string => {
    const key = pieces.join();
    const known = digests.get(key) ?? digestOf(Buffer.concat(pieces.map(bytesOf)));
    digests.set(key, known);
    return known;
  };
  const bytesOf = (piece: string): Buffer => {
    const [begin = 0, length = 0] = piece.split('+').map(Number);
    return patterned(salt, begin, length);
  };

  const explain = (done: ReadonlySet<number>, state: State): boolean => {
    const left = steps
      .keys()
      .filter((index) => !done.has(index))
      .toArray();
    const open = left.flatMap((index) => steps[index]?.call ?? []);
    if (open.every(({ told }) => told === undefined)) return true;
    const key = JSON.stringify([left, state]);
    if (seen.has(key)) return false;
    seen.add(key);
    const firstEnd = Math.min(...open.map(({ ended }) => ended));
    return left.some((index) => {
      const step = steps[index];
      if (step === undefined || step.call.began > firstEnd) return false;
      if (step.after !== undefined && !done.has(step.after)) return false;
      const beside = open.filter((call) => call !== step.call && call.began < step.call.ended);
      const next = statesAfter(step, state, { beside, sizes, contentDigest });
      return next.some((each) => explain(new Set([...done, index]), each));
    });
  };
  return explain(new Set(), { open: true, size: 0, pieces: [], held: [] });
}

interface Surroundings {
  readonly beside: readonly Call[];
  readonly sizes: readonly number[];
  readonly contentDigest: (pieces: readonly string[]) => string;
}

/** Every state that the step may leave behind with the answer it got; none where it can't have got it. */
function statesAfter({ call, after }: Step, state: State, around: Surroundings): readonly State[] {
  const { asked, told } = call;
  const when = (right: boolean, next: State = state): readonly State[] => (right ? [next] : []);
  const gone = { ...state, open: false };
  switch (asked.kind) {
    case 'mount':
      return when(told?.status === (state.held.includes(asked.digest) ? 201 : 202));
    case 'status':
      if (!state.open) return when(told?.status === 404);
      return when(told?.status === 204 && isProgress(told, state, around.beside));
    case 'cancel':
      return state.open ? when(told?.status === 204, gone) : when(told?.status === 404);
    case 'broken':
      return brokenStates(asked.piece, state, around.sizes);
    case 'append':
    case 'finish':
      break;
  }
  if (asked.kind === 'finish' && after !== undefined)
    return [{ ...state, held: [...new Set([...state.held, asked.digest])].toSorted() }];
  if (!state.open) return when(told?.status === 404);
  if (isElsewhere(asked.piece, state))
    return when(told?.status === 416 && told.range === rangeOf(state.size));
  const grown = grow(state, asked.piece, asked.piece.length);
  if (asked.kind === 'append')
    return when(told?.status === 202 && told.range === rangeOf(grown.size), grown);
  const right = around.contentDigest(grown.pieces) === asked.digest;
  return when(told?.status === (right ? 201 : 400), { ...grown, open: false });
}

function isElsewhere({ ranged, begin }: Piece, { size }: State): boolean {
  return ranged && begin !== size;
}

function grow(state: State, { begin }: Piece, length: number): State {
  const pieces =
    length === 0 ? state.pieces : [...state.pieces, `${String(begin)}+${String(length)}`];
  return { ...state, size: state.size + length, pieces };
}

/** Of a broken body any beginning may stay: one that some answer tells of, or all. */
function brokenStates(piece: Piece, state: State, sizes: readonly number[]): readonly State[] {
  if (!state.open || isElsewhere(piece, state)) return [state];
  const some = piece.length <= wholeBytesMax ? [] : sizes.map((size) => size - state.size);
  const lengths = new Set([piece.length, ...some]);
  return [...lengths]
    .filter((length) => length > 0 && length <= piece.length)
    .map((length) => grow(state, piece, length));
}

/** How far it is, or how far a request has come that is under way. */
function isProgress({ range }: Told, { size }: State, beside: readonly Call[]): boolean {
  if (range === rangeOf(size)) return true;
  const shown = sizeOf(range);
  if (shown === undefined || shown < size) return false;
  return beside.some(({ asked }) => 'piece' in asked && shown <= size + asked.piece.length);
}

/** There is no empty range: `0-0` is written for no byte as well as for one. */
function rangeOf(size: number): string {
  return `0-${String(Math.max(0, size - 1))}`;
}

/** `undefined` where there is no range. */
export function sizeOf(range: string | undefined): number | undefined {
  const end = /^0-(\d+)$/.exec(range ?? '')?.[1];
  if (end === undefined) return undefined;
  return end === '0' ? 0 : Number(end) + 1;
}
