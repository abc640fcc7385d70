import type { RegistryKey } from '../domain/names/registry.ts';

/** A secret that is there, however it was asked for. */
interface NamedSecret {
  /** Its own whole ARN: another secret that gets its name later has another. */
  readonly secret: string;
  /** Its own policy, whose denials hold for whoever would have it sent somewhere; absent: it has none. */
  readonly policy?: string | undefined;
}

/** What an ARN leads to. */
export type FoundSecret =
  | { readonly kind: 'notFound' }
  | (NamedSecret & {
      readonly kind: 'value';
      /** Of the current version. Never logged. */
      readonly text: string;
    })
  | (NamedSecret & {
      /**
       * `noValue`: it has no current version yet, or its value is no text. `deleted`: it is to be deleted. `undecryptable`: the key that
       * it was sealed with is not here.
       */
      readonly kind: 'noValue' | 'deleted' | 'undecryptable';
    });

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
