import type { ScriptedRegistry } from '../../support/upstreams/scripted-registry.ts';

export type ClientName = 'crane' | 'skopeo' | 'regctl' | 'containerd';

/** One thing that a client is asked to do; what it answers is compared between direct and through Breakwater. */
export type Ask =
  /** The whole image: answers the digest of its manifest. */
  | { readonly ask: 'pull'; readonly reference: string }
  /** The digest of a tag, by HEAD where the client has that: crane and regctl. */
  | { readonly ask: 'digest'; readonly reference: string }
  /** All tags: not containerd. */
  | { readonly ask: 'tags' }
  /** What refers to a manifest: regctl alone. */
  | { readonly ask: 'referrers'; readonly reference: string }
  /** One blob: crane and regctl. */
  | { readonly ask: 'blob'; readonly reference: string };

/** Asked of the client, or done to the registry between two asks. */
export type Step = Ask | (() => void);

/** A way in which a registry answers, in the smallest form that shows it. */
export interface UpstreamShape {
  /** A sentence that says what the registry does. */
  readonly name: string;
  /**
   * What clients make of it direct. `right`: through Breakwater each must answer the same. `fails`: the client can't either, and
   * nothing is asked of Breakwater; the row says so, that nobody has to try.
   */
  readonly clients: Partial<Record<ClientName, 'right' | 'fails'>>;
  /** Keys of the rule beside prefix and upstream. */
  readonly rule?: Readonly<Record<string, unknown>>;
  /** Fills the registry, sets how it answers, and says what the client does. */
  readonly play: (registry: ScriptedRegistry) => readonly Step[];
}
