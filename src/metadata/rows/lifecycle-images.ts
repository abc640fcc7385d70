import { sql as text } from 'kysely';
import type { AliasedRawBuilder } from 'kysely';
import type { LifecycleImage } from '../../domain/lifecycle/image.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { idOfRepository } from './repository-row.ts';
import type { Sql } from '../sql/schema.ts';

/** An image with its tags in byte order. Nothing is archived yet. */
export interface RepositoryImage extends LifecycleImage {
  readonly tags: readonly Tag[];
}

/**
 * All manifests of a repository with their tags and what they refer to, whichever rule they came through; the youngest first. The
 * rows of each query arrive as one text: an object for each would cost more time and memory than all that is done with it.
 */
export async function imagesOfRepository(
  sql: Sql,
  key: RepositoryKey,
): Promise<readonly RepositoryImage[]> {
  const ofRepository = idOfRepository(sql, key);
  const manifests = await sql
    .selectFrom(
      sql
        .selectFrom('manifests')
        .select(['id', 'digest', 'created_at', 'last_pulled_at'])
        .where('repository_id', '=', ofRepository)
        // The rows lie in this order, or nearly: in that of digests each would be looked for on its own.
        .orderBy('created_at', 'desc')
        .orderBy('digest', 'desc')
        .as('youngest'),
    )
    .select(
      joined('youngest.id', 'youngest.digest', 'youngest.created_at', 'youngest.last_pulled_at'),
    )
    .executeTakeFirst();
  const tags = await sql
    .selectFrom('tags')
    .innerJoin('manifests', (join) =>
      join
        .onRef('manifests.repository_id', '=', 'tags.repository_id')
        .onRef('manifests.digest', '=', 'tags.digest'),
    )
    .where('tags.repository_id', '=', ofRepository)
    .select(joined('manifests.id', 'tags.tag'))
    .executeTakeFirst();
  const children = await sql
    .selectFrom('manifest_children')
    .where('repository_id', '=', ofRepository)
    // A literal: for a parameter the index of such children alone is not taken.
    .where('role', '=', text.lit('manifest'))
    .select(joined('manifest_id', 'digest'))
    .executeTakeFirst();
  const subjects = await sql
    .selectFrom('manifests')
    .where('repository_id', '=', ofRepository)
    .where('subject', 'is not', null)
    .select(joined('id', 'subject'))
    .executeTakeFirst();
  const tagsOf = listsOf(tags);
  const childrenOf = listsOf(children);
  const subjectsOf = listsOf(subjects);
  const images: RepositoryImage[] = [];
  for (const row = new Words(manifests); !row.ended;) {
    const id = Number(row.next());
    images.push({
      digest: row.next() as Digest,
      tags: (tagsOf.get(id) ?? noTags) as readonly Tag[],
      pushedAt: Number(row.next()),
      lastPulledAt: Number(row.next()),
      subject: subjectsOf.get(id)?.[0] as Digest | undefined,
      children: childrenOf.get(id) as readonly Digest[] | undefined,
    });
  }
  return images;
}

const noTags: readonly Tag[] = [];

/** What a query of `joined` answers; null where it found no row. */
type Joined = { readonly all: string | null } | undefined;

/** All rows as one text, their columns one after the other. None of them holds a space. */
function joined(...columns: readonly string[]): AliasedRawBuilder<string | null, 'all'> {
  const row = text.join(
    columns.map((column) => text.ref(column)),
    text` || ' ' || `,
  );
  return text<string | null>`string_agg(${row}, ' ')`.as('all');
}

/** Of rows of a number and a word the words by their number, in byte order. */
function listsOf(rows: Joined): ReadonlyMap<number, readonly string[]> {
  const lists = new Map<number, string[]>();
  for (const row = new Words(rows); !row.ended;) {
    const key = Number(row.next());
    const list = lists.get(key);
    if (list === undefined) lists.set(key, [row.next()]);
    else list.push(row.next());
  }
  for (const list of lists.values()) if (list.length > 1) list.sort();
  return lists;
}

/** The words of all rows one after the other; they share its memory. */
class Words {
  readonly #text: string;
  #from = 0;

  constructor(rows: Joined) {
    this.#text = rows?.all ?? '';
  }

  get ended(): boolean {
    return this.#from >= this.#text.length;
  }

  next(): string {
    const at = this.#text.indexOf(' ', this.#from);
    const end = at < 0 ? this.#text.length : at;
    const word = this.#text.slice(this.#from, end);
    this.#from = end + 1;
    return word;
  }
}
