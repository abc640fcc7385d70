declare const brand: unique symbol;

/** A repository's name as it stands in a `/v2/<name>/…` path: lower case, slashes between components. */
export type RepositoryName = string & { readonly [brand]: 'RepositoryName' };

/** The longest name that clients accept for host and name together (distribution-spec, "Pulling manifests"). */
export const repositoryNameCharactersMax = 255;

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const pattern = new RegExp(`^${component}(?:/${component})*$`);

/** `undefined` when the text is no repository name. */
export function parseRepositoryName(text: string): RepositoryName | undefined {
  return text.length <= repositoryNameCharactersMax && pattern.test(text)
    ? (text as RepositoryName)
    : undefined;
}
