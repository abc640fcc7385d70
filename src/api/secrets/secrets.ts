import { commonError, commonNames } from '../aws/error-names.ts';
import type { ErrorNames } from '../aws/error-names.ts';
import { AwsError } from '../aws/aws-error.ts';
import { typeProblem, validationText } from '../aws/input-words.ts';
import { loadedOnce, rowsOf } from '../aws/service-table.ts';
import type { AwsService } from '../aws/service-table.ts';
import type { SecretsOperations } from './model.ts';

const errorNames: ErrorNames = {
  ...commonNames,
  failed: { code: 'InternalServiceError', status: 500 },
};

/** Secrets Manager. */
export function secretsService(): AwsService {
  return {
    name: 'secretsmanager',
    endpointVariable: 'AWS_ENDPOINT_URL_SECRETS_MANAGER',
    actionPrefix: 'secretsmanager',
    protocol: { kind: 'json', targetPrefix: 'secretsmanager', messageMember: 'Message' },
    model: loadedOnce(() => import('./model.ts')),
    rows: rowsOf<SecretsOperations>(),
    errorNames,
    inputError: (problem) =>
      problem.why === 'type'
        ? new AwsError('SerializationException', typeProblem(problem))
        : new AwsError('InvalidParameterException', validationText(problem)),
    knownError: (error) => commonError(error, errorNames),
  };
}
