/** The server's keys: which seals, and what each of them has sealed. No key itself. */
export interface KeysView {
  /** Where keys are read, the sealing one's source first. */
  readonly from: readonly string[];
  /** The one that seals first. */
  readonly keys: readonly KeyView[];
  /** Keys that sealed something and are not here: none of it can be opened. */
  readonly missing: readonly SealedCount[];
  /** The last since the server's start. */
  readonly rotation: RotationView | null;
}

export interface SealedCount {
  readonly id: string;
  readonly accessKeys: number;
  readonly secretValues: number;
}

export interface KeyView extends SealedCount {
  readonly source: string;
  readonly seals: boolean;
  readonly createdAt: string | null;
  /** Since when nothing is sealed by it; of files alone. */
  readonly supersededAt: string | null;
}

export interface RotationView {
  readonly phase: 'settling' | 'sealing' | 'done' | 'failed';
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** The key that seals. */
  readonly key: string | null;
  readonly madeKey: boolean;
  readonly resealed: number;
  /** What could not be opened, and was left as it is; the first of them by name. */
  readonly unopened: number;
  readonly unopenedNames: readonly string[];
  readonly problem: string | null;
}
