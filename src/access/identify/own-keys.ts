import { markOfSecret } from '../secrets/temporary-key.ts';
import type { AccessKeysOptions } from './access-keys.ts';
import { findKey } from './access-keys.ts';

/** An access key, told from an earlier one of its id. */
export interface MarkedKey {
  readonly id: string;
  readonly mark: string;
}

/** The access key that a caller shows; `undefined`: it shows something else, or the key is gone. */
export type MarkOwnKey = (credential: string | undefined) => Promise<MarkedKey | undefined>;

export function createMarkOwnKey(options: AccessKeysOptions): MarkOwnKey {
  return async (credential) => {
    const id = /^key\/(\w+)$/.exec(credential ?? '')?.[1];
    const found = id === undefined ? undefined : await findKey(id, options);
    if (id === undefined || found === undefined || 'why' in found) return undefined;
    return { id, mark: markOfSecret(found.secret) };
  };
}
