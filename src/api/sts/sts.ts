import type { AccessViews } from '../../operations/access-views.ts';
import { queryNames } from '../aws/error-names.ts';
import { queryError, queryInputError } from '../aws/query-errors.ts';
import { loadedOnce, rowsOf } from '../aws/service-table.ts';
import type { AwsRows, AwsService } from '../aws/service-table.ts';
import type { StsOperations } from './model.ts';

export interface StsParts {
  readonly accessViews: Pick<AccessViews, 'whoami'>;
}

/** The Security Token Service; it answers the same in every region. */
export function stsService(parts: StsParts): AwsService {
  return {
    name: 'sts',
    endpointVariable: 'AWS_ENDPOINT_URL_STS',
    actionPrefix: 'sts',
    protocol: {
      kind: 'query',
      version: '2011-06-15',
      xmlNamespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
    },
    model: loadedOnce(() => import('./model.ts')),
    rows: rowsOf<StsOperations>(callerRows(parts)),
    errorNames: queryNames,
    inputError: queryInputError,
    knownError: queryError,
  };
}

function callerRows({ accessViews }: StsParts): AwsRows<StsOperations> {
  return {
    // Needs no right: whoever can sign may ask whom they sign for.
    GetCallerIdentity: {
      changes: false,
      answer: (_input, asking) => {
        const { principal, account, id } = accessViews.whoami(asking);
        return { UserId: id, Account: account, Arn: principal };
      },
    },
  };
}
