import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SyntheticImage } from './synthetic-image.ts';

const manifestsPerRepository = 1000;

/**
 * Rows as so many pulls leave them, written straight into the tables: through the server it would take an hour. Digests are
 * random, so that indexes are as scattered as real ones. Returns the database's size.
 */
export function fillStore(dataDir: string, image: SyntheticImage, manifests: number): number {
  using database = openDatabase(dataDir);
  database.exec(`
    pragma synchronous = off; pragma cache_size = -1000000; pragma temp_store = memory; pragma foreign_keys = off;
    begin;
    create temporary table filled as
      with recursive counter(i) as (select 0 union all select i + 1 from counter where i + 1 < ${manifests})
      select i, 1000 + i / ${manifestsPerRepository} as repository_id,
        'sha256:' || lower(hex(randomblob(32))) as digest, 'sha256:' || lower(hex(randomblob(32))) as layer
      from counter;
    insert into repositories (id, registry, name, private, created_at)
      select distinct repository_id, (select registry from repositories limit 1), 'docker.io/fill/r' || repository_id, 0, 0 from filled;
    insert into manifest_contents (digest, bytes) select digest, x'${image.manifest.toString('hex')}' from filled;
    insert into manifests (id, repository_id, digest, media_type, size, created_at, last_pulled_at)
      select 1000000 + i, repository_id, digest, '${image.mediaType}', ${image.manifest.length}, 0, 0 from filled;
    insert into manifest_children (manifest_id, position, repository_id, role, digest, media_type, size)
      select 1000000 + i, 0, repository_id, 'config', digest, 'application/vnd.oci.image.config.v1+json', 1024 from filled;
    insert into manifest_children (manifest_id, position, repository_id, role, digest, media_type, size)
      select 1000000 + i, 1, repository_id, 'layer', layer, 'application/vnd.oci.image.layer.v1.tar+gzip', 1024 from filled;
    insert into tags (repository_id, tag, digest, media_type, size, source, validated_at, status, last_pulled_at)
      select repository_id, 't' || i, digest, '${image.mediaType}', ${image.manifest.length}, 'http://127.0.0.1/fill', 0, 'ok', 0 from filled;
    insert into tag_history (repository_id, tag, digest, seen_at) select repository_id, 't' || i, digest, 0 from filled;
    insert into rule_blobs (registry, rule, digest, size, fetched_at)
      select (select registry from repositories limit 1), 'docker.io', layer, 1024, 0 from filled;
    insert into repository_blobs (repository_id, digest, proven_at) select repository_id, layer, 0 from filled;
    commit;
  `);
  const [row] = database
    .prepare('select page_count * page_size as bytes from pragma_page_count, pragma_page_size')
    .all();
  return Number(row?.['bytes']);
}

/** Tags of a repository that was pushed, all of the image there, in order as `tagName` has them. */
export function fillTags(dataDir: string, image: SyntheticImage, tags: number): void {
  using database = openDatabase(dataDir);
  const repository = `(select id from repositories where name = '${image.repository}')`;
  const name = `'t' || printf('%06d', i)`;
  database.exec(`
    begin;
    create temporary table filled as
      with recursive counter(i) as (select 0 union all select i + 1 from counter where i + 1 < ${tags}) select i from counter;
    insert into tags (repository_id, tag, digest, media_type, size, source, validated_at, status, last_pulled_at, provenance, pushed_at)
      select ${repository}, ${name}, '${image.digest}', '${image.mediaType}', ${image.manifest.length}, '', 0, 'ok', 0, 'pushed', 0 from filled;
    insert into tag_history (repository_id, tag, digest, seen_at) select ${repository}, ${name}, '${image.digest}', 0 from filled;
    commit;
  `);
}

/** As `fillTags` numbers them, from 0. */
export function tagName(index: number): string {
  return `t${String(index).padStart(6, '0')}`;
}

/** Images of the repository that was pushed, each under a tag of its own as `tagName` has them, pushed a minute after another until now. */
export function fillImages(dataDir: string, image: SyntheticImage, images: number): void {
  using database = openDatabase(dataDir);
  const repository = `(select id from repositories where name = '${image.repository}')`;
  database.exec(`
    pragma synchronous = off; pragma cache_size = -1000000; pragma temp_store = memory; pragma foreign_keys = off;
    begin;
    create temporary table filled as
      with recursive counter(i) as (select 0 union all select i + 1 from counter where i + 1 < ${images})
      select i, ${repository} as repository_id, ${Date.now()} - (${images} - i) * 60000 as at,
        'sha256:' || lower(hex(randomblob(32))) as digest, 'sha256:' || lower(hex(randomblob(32))) as layer
      from counter;
    insert into manifest_contents (digest, bytes) select digest, x'${image.manifest.toString('hex')}' from filled;
    insert into manifests (id, repository_id, digest, media_type, size, created_at, last_pulled_at, provenance)
      select 1000000 + i, repository_id, digest, '${image.mediaType}', ${image.manifest.length}, at, 0, 'pushed' from filled;
    insert into manifest_children (manifest_id, position, repository_id, role, digest, media_type, size)
      select 1000000 + i, 0, repository_id, 'config', digest, 'application/vnd.oci.image.config.v1+json', 1024 from filled;
    insert into manifest_children (manifest_id, position, repository_id, role, digest, media_type, size)
      select 1000000 + i, 1, repository_id, 'layer', layer, 'application/vnd.oci.image.layer.v1.tar+gzip', 1024 from filled;
    insert into tags (repository_id, tag, digest, media_type, size, source, validated_at, status, last_pulled_at, provenance, pushed_at)
      select repository_id, 't' || printf('%06d', i), digest, '${image.mediaType}', ${image.manifest.length}, '', 0, 'ok', 0, 'pushed', at from filled;
    insert into tag_history (repository_id, tag, digest, seen_at) select repository_id, 't' || printf('%06d', i), digest, at from filled;
    commit;
  `);
}

function openDatabase(dataDir: string): DatabaseSync {
  const name = readdirSync(dataDir).find((entry) => /^metadata\.(?:db|sqlite3?)$/.test(entry));
  if (name === undefined) throw new Error(`no database in ${dataDir}`);
  return new DatabaseSync(join(dataDir, name));
}
