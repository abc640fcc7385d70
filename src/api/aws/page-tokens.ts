import type { Sealing } from '../../access/secrets/key-store.ts';
import { openToken, sealToken } from '../../access/secrets/sealed-token.ts';
import { RegistryError } from '../../domain/errors.ts';

/** `nextToken`: the cursor of a page, sealed, so that nobody reads or changes it. `list` names the list that it is good for: operation and registry. */
export interface PageTokens {
  /** `undefined` where there is no further page. */
  write(list: string, cursor: string | null): string | undefined;
  /** Throws `paginationInvalid` for a token that is not of this list. */
  read(list: string, token: string | undefined): string | undefined;
}

const tokenCharactersMax = 4096;

export function createPageTokens(sealing: Sealing): PageTokens {
  const ownerOf = (list: string): string => `page of ${list}`;
  return {
    write: (list, cursor) =>
      cursor === null ? undefined : sealToken(sealing, cursor, ownerOf(list)),
    read: (list, token) => {
      if (token === undefined) return undefined;
      const cursor = openToken(sealing, token, ownerOf(list), tokenCharactersMax);
      if (cursor !== undefined) return cursor;
      throw new RegistryError('paginationInvalid', 'not a token of this list', {
        detail: { field: 'nextToken' },
      });
    },
  };
}
