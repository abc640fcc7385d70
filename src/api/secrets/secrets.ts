import { loadedOnce, rowsOf } from '../aws/service-table.ts';
import type { AwsService } from '../aws/service-table.ts';
import { attributeRows } from './attributes.ts';
import { secretsError, secretsErrorNames, secretsInputError } from './errors.ts';
import { lifeRows } from './life.ts';
import type { SecretsOperations } from './model.ts';
import type { SecretsServiceParts } from './parts.ts';
import { valueRows } from './values.ts';

/** Secrets Manager. */
export function secretsService(parts: SecretsServiceParts): AwsService {
  return {
    name: 'secretsmanager',
    endpointVariable: 'AWS_ENDPOINT_URL_SECRETS_MANAGER',
    actionPrefix: 'secretsmanager',
    protocol: { kind: 'json', targetPrefix: 'secretsmanager', messageMember: 'Message' },
    model: loadedOnce(() => import('./model.ts')),
    rows: rowsOf<SecretsOperations>(lifeRows(parts), valueRows(parts), attributeRows(parts)),
    errorNames: secretsErrorNames,
    inputError: secretsInputError,
    knownError: secretsError,
  };
}
