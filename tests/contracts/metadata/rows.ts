import type { MetadataRow } from './row.ts';
import { repositoriesRows } from './repositories.ts';
import { imageListsRows } from './image-lists.ts';
import { manifestsRows } from './manifests.ts';
import { pushesRows } from './pushes.ts';
import { tagsRows } from './tags.ts';
import { blobsRows } from './blobs.ts';
import { identitiesRows } from './identities.ts';
import { recordsRows } from './records.ts';
import { lifecyclesRows } from './lifecycles.ts';
import { ownBlobsRows } from './own-blobs.ts';
import { rolesRows } from './roles.ts';
import { rulesRows } from './rules.ts';
import { templatesRows } from './templates.ts';
import { managedPoliciesRows } from './managed-policies.ts';
import { sealedRows } from './sealed.ts';
import { secretsRows } from './secrets.ts';
import { callsRows } from './calls.ts';
import { writesRows } from './writes.ts';

/** The contract of the metadata; each engine runs all of it. */
export const metadataRows: readonly MetadataRow[] = [
  ...repositoriesRows,
  ...manifestsRows,
  ...imageListsRows,
  ...pushesRows,
  ...tagsRows,
  ...blobsRows,
  ...ownBlobsRows,
  ...lifecyclesRows,
  ...identitiesRows,
  ...rolesRows,
  ...recordsRows,
  ...rulesRows,
  ...templatesRows,
  ...sealedRows,
  ...secretsRows,
  ...callsRows,
  ...managedPoliciesRows,
  ...writesRows,
];
