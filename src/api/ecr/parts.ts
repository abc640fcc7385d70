import type { RegistryKey } from '../../domain/names/registry.ts';
import { repositoryArn } from '../../domain/names/registry.ts';
import { registryUrl } from '../../domain/names/registry-url.ts';
import type { Operations } from '../../operations/operations.ts';
import type { PageTokens } from '../aws/page-tokens.ts';
import type { AwsAsking, AwsRows } from '../aws/service-table.ts';
import { invalidParameter } from './errors.ts';
import type { EcrOperations } from './model.ts';

/** What ECR's rows are made of. */
export interface EcrParts extends Operations {
  readonly pages: PageTokens;
  /** Without a trailing slash; empty: the request's Host. */
  readonly publicUrl: () => string;
}

export type EcrRows = AwsRows<EcrOperations>;

/** The registry that a call means, as operations take it. */
export interface RegistryOfCall {
  readonly account: string;
  readonly region: string;
}

/** The same with the repository. */
export interface RepositoryOfCall extends RegistryOfCall {
  readonly repository: string;
}

/** `registryId`, else the caller's own account, in the region of its signature. */
export function registryOfCall(
  { account, region }: AwsAsking,
  { registryId }: { readonly registryId?: string | undefined } = {},
): RegistryOfCall {
  return { account: registryId ?? account, region };
}

/** The same with the repository. */
export function repositoryOfCall(
  asking: AwsAsking,
  input: { readonly registryId?: string | undefined; readonly repositoryName: string },
): RepositoryOfCall {
  return { ...registryOfCall(asking, input), repository: input.repositoryName };
}

/** As answers name a repository: by the account it is in, and the region as it was asked. */
export function arnInAnswer({ region }: AwsAsking, account: string, repository: string): string {
  return repositoryArn(`${account}/${region}`, repository);
}

/** Where registry clients find an account's registry: scheme, host and port. */
export function endpointInAnswer(parts: EcrParts, asking: AwsAsking, account: string): string {
  const { places, publicUrl } = parts;
  const { region, origin } = asking;
  const registry: RegistryKey = places.registry({ account, region }, asking);
  return registryUrl(publicUrl() || origin, { account, region }, registry === places.home);
}

const resourceForm = /^arn:aws[\w-]*:ecr:([a-z0-9-]{2,25}):(\d{12}):repository\/(.{1,256})$/;

/** The repository that an ARN of a call names; `undefined`: it is no repository's, or of another region than the one that was asked. */
export function repositoryOfArn(
  { region }: AwsAsking,
  arn: string,
): { readonly registryId: string; readonly repositoryName: string } | undefined {
  const [, named, registryId = '', repositoryName = ''] = resourceForm.exec(arn) ?? [];
  return named === region ? { registryId, repositoryName } : undefined;
}

/** How a call asks for a page of a list. */
export interface PageOfCall {
  readonly nextToken?: string | undefined;
  readonly maxResults?: number | undefined;
}

/** Which list a token is of: the operation's, of a registry or of a repository, as far as the filter lets through. */
export function listOf(
  operation: string,
  { account, region, repository }: RegistryOfCall & { readonly repository?: string },
  filter: object = {},
): string {
  const filtered = JSON.stringify(filter);
  return `${operation} ${account}/${region} ${repository ?? ''} ${filtered}`;
}

/** The page that a call asks for, as operations take it. Throws `paginationInvalid` for a token of another list. */
export function pageOfCall(
  { pages }: Pick<EcrParts, 'pages'>,
  list: string,
  { nextToken, maxResults = 100 }: PageOfCall,
): { readonly limit: number; readonly cursor: string | undefined } {
  return { limit: maxResults, cursor: pages.read(list, nextToken) };
}

/** Who names what is to be described gets all of it: `member` takes no pages beside it. */
export function requireNoPage(member: string, { nextToken, maxResults }: PageOfCall): void {
  if (nextToken === undefined && maxResults === undefined) return;
  const given = nextToken === undefined ? 'maxResults' : 'nextToken';
  throw invalidParameter(given, `cannot be used together with ${member}`);
}

/** Of a call with a manifest, or a part of a layer, in it: 20 MiB in base64, and what is around it. */
export const contentBytesMax: number = 28 * 1024 * 1024;
