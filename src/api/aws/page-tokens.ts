import { RegistryError } from '../../domain/errors.ts';

/** Encrypts a text so that it opens only as that of `owner`. */
export interface Sealing {
  seal(text: string, owner: string): string;
  /** Throws for what was not sealed so. */
  open(sealed: string, owner: string): string;
}

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
      cursor === null
        ? undefined
        : Buffer.from(sealing.seal(cursor, ownerOf(list))).toString('base64'),
    read: (list, token) => {
      if (token === undefined) return undefined;
      try {
        if (token.length <= tokenCharactersMax)
          return sealing.open(Buffer.from(token, 'base64').toString('latin1'), ownerOf(list));
      } catch {
        // Answered below, like any other text that is no token of this list.
      }
      throw new RegistryError('paginationInvalid', 'not a token of this list', {
        detail: { field: 'nextToken' },
      });
    },
  };
}
