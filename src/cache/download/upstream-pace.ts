import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';

const hostsMax = 1000;
const roundTripsKept = 16;
/** A piece takes at least as long as so many round trips, so that asking for it costs little beside it. */
const roundTripsPerPiece = 8;
const pieceBytesMax = 64 * 1024 * 1024;
/** What a shorter or quicker body says is noise. */
const measuredBytesMin = 256 * 1024;
const measuredMsMin = 5;
/** Of what was known, where a new body is measured. */
const keptShare = 0.75;

interface Measured {
  roundTripsMs: readonly number[];
  bytesPerMs: number | undefined;
}

/** How far away upstreams are and how fast a connection to them is, learned from what came. */
export class UpstreamPace {
  readonly #hosts = new LRUCache<string, Measured>(atMost(hostsMax));

  /** `roundTripMs`: from question to answer. */
  answered(host: string, roundTripMs: number): void {
    const measured = this.#of(host);
    measured.roundTripsMs = [...measured.roundTripsMs, roundTripMs].slice(-roundTripsKept);
  }

  /** A body's bytes, and the time from its head to its end. */
  arrived(host: string, bytes: number, ms: number): void {
    if (bytes < measuredBytesMin || ms < measuredMsMin) return;
    const measured = this.#of(host);
    const before = measured.bytesPerMs ?? bytes / ms;
    measured.bytesPerMs = before * keptShare + (bytes / ms) * (1 - keptShare);
  }

  /** How much to ask for at once: `pieceBytes`, more from where a round trip takes long beside that. */
  pieceBytes(host: string, pieceBytes: number): number {
    const { roundTripsMs = [], bytesPerMs = 0 } = this.#hosts.get(host) ?? {};
    if (roundTripsMs.length === 0) return pieceBytes;
    // The shortest: others waited for a token, a redirect or a busy machine.
    const bytes = Math.min(...roundTripsMs) * bytesPerMs * roundTripsPerPiece;
    return Math.max(pieceBytes, Math.min(Math.ceil(bytes), pieceBytesMax));
  }

  #of(host: string): Measured {
    const measured = this.#hosts.get(host) ?? { roundTripsMs: [], bytesPerMs: undefined };
    this.#hosts.set(host, measured);
    return measured;
  }
}
