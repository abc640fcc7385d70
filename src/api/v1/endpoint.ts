import { operation } from '../operation.ts';
import type { Operation, OperationRow } from '../operation.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** An operation at one method of one path; the table of them is what is routed and what the OpenAPI document says. */
export interface Endpoint extends Operation {
  readonly method: Method;
  /** Below `/api/v1/`; names are parameters, never parts of it, since repositories have slashes. */
  readonly path: string;
  /** GET and DELETE take a query, the others a JSON body. */
  readonly inQuery: boolean;
  /** 204 where nothing is answered. */
  readonly status: 200 | 201 | 204;
}

interface EndpointRow<Input, Output> extends Omit<OperationRow<Input, Output>, 'changes'> {
  readonly method: Method;
  readonly path: string;
  readonly created?: boolean;
}

export function endpoint<Input, Output>({
  method,
  path,
  created = false,
  ...row
}: EndpointRow<Input, Output>): Endpoint {
  return {
    ...operation({ ...row, changes: method !== 'GET' }),
    method,
    path,
    inQuery: method === 'GET' || method === 'DELETE',
    status: row.output === undefined ? 204 : created ? 201 : 200,
  };
}
