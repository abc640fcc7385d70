import type { RegistryError } from '../../domain/errors.ts';
import { AwsError } from './aws-error.ts';
import { commonError, queryNames } from './error-names.ts';
import { typeProblem, validationText } from './input-words.ts';
import type { InputProblem } from './input.ts';

/** An input that does not fit the model, as STS and IAM say it. */
export function queryInputError(problem: InputProblem): AwsError {
  return problem.why === 'type'
    ? new AwsError('MalformedInput', typeProblem(problem))
    : new AwsError('ValidationError', validationText(problem));
}

/** An error for which a service of the query protocol has no words of its own. */
export function queryError(error: RegistryError): AwsError {
  return commonError(error, queryNames);
}
