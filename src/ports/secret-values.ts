import type { RegistryKey } from '../domain/names/registry.ts';

/** What an ARN leads to. Every kind but `notFound` is a secret that is there. */
export type FoundSecret =
  | {
      readonly kind: 'value';
      /** The secret's own whole ARN, however it was asked for: another secret that gets its name later has another. */
      readonly secret: string;
      /** Of the current version. Never logged. */
      readonly text: string;
    }
  | { readonly kind: 'notFound' }
  /** It has no current version yet, or its value is no text. */
  | { readonly kind: 'noValue' }
  /** It is to be deleted. */
  | { readonly kind: 'deleted' }
  /** The key that it was sealed with is not here. */
  | { readonly kind: 'undecryptable' };

/**
 * The secrets of every registry, for the rules that name them; nobody's right to read one is asked for here.
 *
 * An ARN may lack the six characters that end a secret's own. Whoever changes a secret notes `secrets` (ports/invalidations) after the
 * commit, and answers once the rules have read it.
 */
export interface SecretValues {
  /** `registry`: where the rule is; a secret of another one is `notFound`. Rejects only where the secrets can't be read at all. */
  find(registry: RegistryKey, arn: string): Promise<FoundSecret>;
}
