import { queryNames } from '../aws/error-names.ts';
import { queryInputError } from '../aws/query-errors.ts';
import { loadedOnce, rowsOf } from '../aws/service-table.ts';
import type { AwsService } from '../aws/service-table.ts';
import { accessKeyRows } from './access-keys.ts';
import { attachmentRows } from './policy-attachments.ts';
import { policyRows, policyTagRows } from './managed-policies.ts';
import { policyVersionRows } from './policy-versions.ts';
import { rolePolicyRows } from './role-policies.ts';
import { roleRows, roleTagRows } from './roles.ts';
import { iamError } from './errors.ts';
import type { IamOperations } from './model.ts';
import type { IamParts } from './parts.ts';
import { userPolicyRows } from './user-policies.ts';
import { userRows, userTagRows } from './users.ts';

/** Identity and Access Management; it answers the same in every region. */
export function iamService(parts: IamParts): AwsService {
  return {
    name: 'iam',
    endpointVariable: 'AWS_ENDPOINT_URL_IAM',
    actionPrefix: 'iam',
    protocol: {
      kind: 'query',
      version: '2010-05-08',
      xmlNamespace: 'https://iam.amazonaws.com/doc/2010-05-08/',
    },
    model: loadedOnce(() => import('./model.ts')),
    rows: rowsOf<IamOperations>(
      userRows(parts),
      userTagRows(parts),
      accessKeyRows(parts),
      userPolicyRows(parts),
      roleRows(parts),
      roleTagRows(parts),
      rolePolicyRows(parts),
      policyRows(parts),
      policyTagRows(parts),
      policyVersionRows(parts),
      attachmentRows(parts),
    ),
    errorNames: queryNames,
    inputError: queryInputError,
    knownError: iamError,
  };
}
