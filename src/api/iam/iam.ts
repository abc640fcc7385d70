import { queryNames } from '../aws/error-names.ts';
import { queryError, queryInputError } from '../aws/query-errors.ts';
import { loadedOnce, rowsOf } from '../aws/service-table.ts';
import type { AwsService } from '../aws/service-table.ts';
import type { IamOperations } from './model.ts';

/** Identity and Access Management; it answers the same in every region. */
export function iamService(): AwsService {
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
    rows: rowsOf<IamOperations>(),
    errorNames: queryNames,
    inputError: queryInputError,
    knownError: queryError,
  };
}
