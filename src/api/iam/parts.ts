import { hash } from 'node:crypto';
import type { LabelView } from '../../contract/access-view.ts';
import { pageOfAll } from '../../operations/page.ts';
import type { Operations } from '../../operations/operations.ts';
import type { PageTokens } from '../aws/page-tokens.ts';
import { tagsOf } from '../aws/tag-list.ts';
import { timestamp } from '../aws/service-model.ts';
import type { Timestamp } from '../aws/service-model.ts';
import type { AwsAsking, AwsRows } from '../aws/service-table.ts';
import type { IamOperations } from './model.ts';

/** What IAM's rows are made of. */
export interface IamParts extends Pick<
  Operations,
  'identities' | 'roles' | 'policies' | 'managedPolicies' | 'policyAttachments'
> {
  readonly pages: PageTokens;
}

export type IamRows = AwsRows<IamOperations>;

export interface ListInput {
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}

interface ListEnd {
  readonly IsTruncated: boolean;
  readonly Marker: string | undefined;
}

const itemsDefault = 100;

/** Which page a call asks for; `list` names the list that its marker is good for. */
export function pageAsked(
  { pages }: Pick<IamParts, 'pages'>,
  list: string,
  { Marker, MaxItems }: ListInput,
): { readonly limit: number; readonly cursor: string | undefined } {
  return { limit: MaxItems ?? itemsDefault, cursor: pages.read(list, Marker) };
}

/** How an answer says that there is more. */
export function listEnd(
  { pages }: Pick<IamParts, 'pages'>,
  list: string,
  next: string | null,
): ListEnd {
  return { IsTruncated: next !== null, Marker: pages.write(list, next) };
}

/** One page of a list that is in memory. */
export function pageOfList<Item>(
  parts: Pick<IamParts, 'pages'>,
  asked: {
    readonly list: string;
    readonly input: ListInput;
    readonly keyOf: (item: Item) => string;
  },
  all: readonly Item[],
): { readonly items: readonly Item[]; readonly end: ListEnd } {
  const { list, input, keyOf } = asked;
  const page = pageOfAll(all, pageAsked(parts, list, input), {
    view: (item) => item,
    keyOf: (item) => markerKey(keyOf(item)),
  });
  return { items: page.items, end: listEnd(parts, list, page.next) };
}

/** One page of labels, in the form that users, roles and policies answer them alike. */
export function pageOfTags(
  parts: Pick<IamParts, 'pages'>,
  list: string,
  input: ListInput,
  labels: readonly LabelView[],
): { readonly Tags: readonly { readonly Key: string; readonly Value: string }[] } & ListEnd {
  const asked = { list, input, keyOf: ({ Key }: { readonly Key: string }) => Key };
  const { items, end } = pageOfList(parts, asked, tagsOf(labels));
  return { Tags: items, ...end };
}

/** One page of the names of inline policies, as users and roles answer them alike. */
export function pageOfPolicyNames(
  parts: Pick<IamParts, 'pages'>,
  list: string,
  input: ListInput,
  policies: readonly { readonly name: string }[],
): { readonly PolicyNames: readonly string[] } & ListEnd {
  const names = policies.map(({ name }) => name);
  const { items, end } = pageOfList(parts, { list, input, keyOf: (name) => name }, names);
  return { PolicyNames: items, ...end };
}

/** A key as a marker holds it, of which IAM takes 320 characters: sealed, and in base64, twice. */
const markerKeyMax = 80;

/** In the order of the keys but for those that are alike in their first characters. */
function markerKey(key: string): string {
  if (Buffer.byteLength(key) <= markerKeyMax) return key;
  return key.slice(0, 20) + hash('sha256', key, 'hex').slice(0, 40);
}

/** The name of a list of an account's, for its markers. */
export function listOf({ account }: AwsAsking, operation: string, of = ''): string {
  return `${operation} ${account} ${of}`;
}

/** An ISO time as answers have it: in whole seconds, as IAM's are. */
export function secondsOf(iso: string): Timestamp {
  return timestamp(Math.floor(Date.parse(iso) / 1000) * 1000);
}

/** A policy's text as IAM answers it (RFC 3986). */
export function encodedPolicy(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
