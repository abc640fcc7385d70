// Several clients on one upload at once: what they ask is drawn, what they are told is kept for its explanation.
import fc from 'fast-check';
import { withQuery } from '../clients/registry-client.ts';
import type { RegistryClient } from '../clients/registry-client.ts';
import { leaveAtTheEnd } from '../clients/broken-request.ts';
import type { HttpAnswer } from '../clients/http-exchange.ts';
import { patterned } from './push-model.ts';
import { sizeOf, wholeBytesMax } from './upload-history.ts';
import type { Asked, Call, Piece, Told } from './upload-history.ts';
import { digestOf } from '../samples/digest.ts';

interface PieceMove {
  readonly length: number;
  readonly ranged: boolean;
  readonly streamed: boolean;
  /** The client leaves before the last byte that it announced. */
  readonly leaves: boolean;
}

export type RaceMove =
  | (PieceMove & { readonly kind: 'append' })
  | (PieceMove & { readonly kind: 'finish'; readonly right: boolean })
  | { readonly kind: 'status' | 'cancel' | 'mount' };

const piece = {
  length: fc.constantFrom(1, 7, 1000, 1000, 70_000, 300_000),
  ranged: fc.constantFrom(...Array.from({ length: 9 }, () => true), false),
  streamed: fc.boolean(),
  leaves: fc.constantFrom(false, false, false, true),
};

/** What one client does next; mostly it appends where it believes the end to be. */
export const anyMove: fc.Arbitrary<RaceMove> = fc.oneof(
  { weight: 64, arbitrary: fc.record({ kind: fc.constant('append' as const), ...piece }) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('finish' as const),
      right: fc.constantFrom(true, true, true, true, true, false),
      ...piece,
    }),
  },
  { weight: 6, arbitrary: fc.constant({ kind: 'status' as const }) },
  { weight: 6, arbitrary: fc.constant({ kind: 'mount' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'cancel' as const }) },
);

export interface PushRace {
  readonly calls: readonly Call[];
  /** One client's moves, one after the other. */
  run(moves: readonly RaceMove[]): Promise<void>;
  /** Asks where the upload is and ends it there, until it is ended. */
  end(): Promise<void>;
  /** Digests that were said of what the upload may have become. */
  readonly digests: readonly string[];
}

const endingsMax = 20;

/** All clients know the text of this salt, and how far the others were told to be. */
export async function createPushRace(
  client: RegistryClient,
  place: { readonly repository: string; readonly other: string; readonly salt: number },
): Promise<PushRace> {
  const { repository, other, salt } = place;
  const location = await client.begin(repository);
  const calls: Call[] = [];
  const digests = new Set<string>();
  let moment = 0;
  let believed = 0;
  let leftWithMuch = false;

  async function call(asked: Asked, send: () => Promise<HttpAnswer | undefined>): Promise<void> {
    const began = (moment += 1);
    const answer = await send();
    // A mount's is the range of an upload of its own.
    const range = asked.kind === 'mount' ? undefined : answer?.headers.range;
    const told: Told | undefined = answer && { status: answer.status, range };
    believed = sizeOf(told?.range) ?? believed;
    calls.push({ asked, began, ended: answer === undefined ? Infinity : (moment += 1), told });
  }

  async function sendPiece(move: Extract<RaceMove, PieceMove>): Promise<void> {
    const { ranged } = move;
    const sent: Piece = { begin: believed, length: move.length, ranged };
    const body = patterned(salt, sent.begin, sent.length);
    const said = { start: sent.begin, end: sent.begin + sent.length - 1 };
    const headers = { 'Content-Range': `${String(said.start)}-${String(said.end)}` };
    const question = { body, streamed: move.streamed, ...(ranged ? { headers } : {}) };
    const whole = patterned(salt, 0, sent.begin + sent.length + (isWrong(move) ? 1 : 0));
    const digest = digestOf(whole);
    const method = move.kind === 'append' ? 'PATCH' : 'PUT';
    const path = method === 'PATCH' ? location : withQuery(location, { digest });
    if (move.kind === 'finish') digests.add(digest);
    // What of a long body stays is known by the answers after it alone: two of them could not be told apart.
    const much = sent.length > wholeBytesMax;
    if (move.leaves && sent.length > 1 && !(much && leftWithMuch)) {
      leftWithMuch ||= much;
      const kept = { ...sent, length: sent.length - 1 };
      return call({ kind: 'broken', piece: kept }, async () => {
        await leaveAtTheEnd(client, method, path, question);
        return undefined;
      });
    }
    const asked: Asked =
      move.kind === 'append'
        ? { kind: 'append', piece: sent }
        : { kind: 'finish', piece: sent, digest };
    await call(asked, () => client.ask(method, path, question));
  }

  async function run(moves: readonly RaceMove[]): Promise<void> {
    for (const move of moves) {
      if (move.kind === 'append' || move.kind === 'finish') await sendPiece(move);
      else if (move.kind === 'status')
        await call({ kind: 'status' }, () => client.ask('GET', location));
      else if (move.kind === 'cancel')
        await call({ kind: 'cancel' }, () => client.ask('DELETE', location));
      else await mount([...digests].at(-1) ?? digestOf(patterned(salt, 0, believed)));
    }
  }

  async function mount(digest: string): Promise<void> {
    digests.add(digest);
    const path = `/v2/${other}/blobs/uploads/`;
    const query = { mount: digest, from: repository };
    let begun: string | undefined;
    await call({ kind: 'mount', digest }, async () => {
      const answer = await client.ask('POST', withQuery(path, query));
      if (answer.status === 202) begun = answer.headers.location;
      return answer;
    });
    // Thousands of races would leave as many open.
    if (begun !== undefined) await client.ask('DELETE', begun);
  }

  async function end(): Promise<void> {
    for (let tries = 0; tries < endingsMax; tries += 1) {
      await run([{ kind: 'status' }]);
      if (calls.at(-1)?.told?.status === 404) break;
      const digest = digestOf(patterned(salt, 0, believed));
      digests.add(digest);
      const asked: Asked = {
        kind: 'finish',
        piece: { begin: believed, length: 0, ranged: false },
        digest,
      };
      await call(asked, () => client.ask('PUT', withQuery(location, { digest })));
    }
    for (const digest of digests) await mount(digest);
  }

  return {
    calls,
    run,
    end,
    get digests() {
      return [...digests];
    },
  };
}

function isWrong(move: RaceMove): boolean {
  return move.kind === 'finish' && !move.right;
}
