import type { RegistryKey } from '../domain/names/registry.ts';
import type { RepositoryName } from '../domain/names/repository-name.ts';

/** What is another now, so that nothing remembered of it may be believed. */
export type Invalidation =
  /** One repository: its content, its settings, its policy, or whether it is there. */
  | {
      readonly kind: 'repository';
      readonly registry: RegistryKey;
      readonly repository: RepositoryName;
    }
  /** Policies of a registry or of principals. */
  | { readonly kind: 'policies' }
  /** Accounts, principals, or their keys and tokens. */
  | { readonly kind: 'credentials' }
  /** A rule of a registry that was made through an API: it was made, changed or deleted. */
  | { readonly kind: 'rules'; readonly registry: RegistryKey; readonly prefix: string }
  /** Secrets of a registry, which its rules show to upstreams. */
  | { readonly kind: 'secrets'; readonly registry: RegistryKey }
  /** The keys that seal and sign: another one was made, or one is gone. */
  | { readonly kind: 'keys' }
  /** Rules and settings of this process: after a reload. */
  | { readonly kind: 'configuration' }
  /** Changes that other processes made may have been missed: whatever was read from metadata counts no longer. */
  | { readonly kind: 'missed' };

/**
 * Says to everything that remembers what metadata or the configuration says that it is another now. All processes that share a
 * database share one of these: what one notes, all hear.
 *
 * - When `note` returns, each subscriber of this process was called, once, in the order in which they subscribed. Processes beside it
 *   hear it within 30 s, of `rules`, `secrets` and `keys` within 2 s. One that can't hear (its connection is lost) says `missed` to its own subscribers instead, within the same
 *   30 s and again every 30 s, until it can: so a memory that subscribes needs no time of its own.
 * - Notes of one process are heard in the order in which they were made; of several, in any.
 * - `configuration` stays in its process: each reads a file of its own.
 * - A note says that something changed, not what it is now: whoever hears it reads again. Too many notes do no harm.
 */
export interface Invalidations {
  /**
   * After a change's commit and before it is acknowledged; also where it is not known whether it was committed. Never throws,
   * never waits: a subscriber that throws keeps no other from hearing it.
   */
  note(invalidation: Invalidation): void;
  /** The listener forgets and returns; it neither waits nor notes. Disposing ends it. */
  subscribe(listener: (invalidation: Invalidation) => void): Disposable;
}
