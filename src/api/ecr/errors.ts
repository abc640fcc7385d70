import type { ErrorKind, RegistryError } from '../../domain/errors.ts';
import { AwsError } from '../aws/aws-error.ts';
import { commonError, commonNames } from '../aws/error-names.ts';
import { constraintWords, typeProblem } from '../aws/input-words.ts';
import type { InputProblem } from '../aws/input.ts';
import type { FailedCall } from '../aws/service-table.ts';
import { contentWords } from './content-errors.ts';
import { inRegistry, inRepository, invalid } from './error-words.ts';
import type { Place, Said, Words } from './error-words.ts';

const nullable = (value: unknown): string => (typeof value === 'string' ? value : 'null');

/** ECR's own names and texts. */
const words: Readonly<Partial<Record<ErrorKind, Words>>> = {
  repositoryUnknown: (place) => [
    'RepositoryNotFoundException',
    `The repository with name '${place.repository}' does not exist ${inRegistry(place)}`,
  ],
  repositoryExists: (place) => [
    'RepositoryAlreadyExistsException',
    `The repository with name '${place.repository}' already exists ${inRegistry(place)}`,
  ],
  repositoryNotEmpty: ({ repository, registry }) => [
    'RepositoryNotEmptyException',
    `The repository with name '${repository}' in registry with id '${registry}' cannot be deleted because it still contains images (--force deletes them too; breakwater repos rm --prefix PREFIX deletes what pulls made at and below a prefix, with --all --force everything there)`,
  ],
  repositoryPolicyUnknown: (place) => [
    'RepositoryPolicyNotFoundException',
    `Repository policy does not exist for the repository with name '${place.repository}' ${inRegistry(place)}`,
  ],
  registryPolicyUnknown: (place) => [
    'RegistryPolicyNotFoundException',
    `Registry policy does not exist ${inRegistry(place)}`,
  ],
  signingConfigurationUnknown: (place) => [
    'SigningConfigurationNotFoundException',
    `Signing configuration does not exist ${inRegistry(place)}`,
  ],
  exclusionUnknown: 'ExclusionNotFoundException',
  exclusionExists: 'ExclusionAlreadyExistsException',
  backfillUnknown: 'ReplicationBackfillNotFoundException',
  engineNotAvailable: 'ValidationException',
  templateExists: 'TemplateAlreadyExistsException',
  templateUnknown: 'TemplateNotFoundException',
  limitExceeded: 'LimitExceededException',
  policyInvalid: (_place, { message }) => [
    'InvalidParameterException',
    invalid('PolicyText', `Invalid repository policy provided: ${message}`),
  ],
  lifecyclePolicyInvalid: (_place, { message }) => [
    'InvalidParameterException',
    invalid('LifecyclePolicyText', message),
  ],
  lifecyclePolicyUnknown: (place) => [
    'LifecyclePolicyNotFoundException',
    `Lifecycle policy does not exist for the repository with name '${place.repository}' ${inRegistry(place)}`,
  ],
  lifecyclePreviewUnknown: (place) => [
    'LifecyclePolicyPreviewNotFoundException',
    `There is no dry run for this repository: '${place.repository}' ${inRegistry(place)}`,
  ],
  lifecyclePreviewInProgress: (place) => [
    'LifecyclePolicyPreviewInProgressException',
    `The preview of the lifecycle policy is in progress for the repository with name '${place.repository}' ${inRegistry(place)}`,
  ],
  imageExists: (place, { detail }) => [
    'ImageAlreadyExistsException',
    `Image with digest '${nullable(detail?.['digest'])}' and tag '${nullable(detail?.['tag'])}' already exists ${inRepository(place)}`,
  ],
  imageUnknown: (place, { detail }) => [
    'ImageNotFoundException',
    `The image with imageId {imageDigest:'${nullable(detail?.['digest'])}', imageTag:'${nullable(detail?.['tag'])}'} does not exist within the repository with name '${place.repository}' ${inRegistry(place)}`,
  ],
  uploadEmpty: () => [
    'EmptyUploadException',
    'The specified layer upload does not contain any layer parts.',
  ],
  repositoryTagInvalid: 'InvalidTagParameterException',
  tooManyTags: 'TooManyTagsException',
  ruleExists: 'PullThroughCacheRuleAlreadyExistsException',
  ruleUnknown: 'PullThroughCacheRuleNotFoundException',
  ruleOfFile: 'ValidationException',
  tooManyRules: 'LimitExceededException',
  upstreamUnsupported: 'UnsupportedUpstreamRegistryException',
  secretUnknown: 'SecretNotFoundException',
  secretInaccessible: 'UnableToAccessSecretException',
  secretUndecryptable: 'UnableToDecryptSecretValueException',
};

/** An error of the registry in ECR's words. */
export function ecrError(error: RegistryError, call: FailedCall): AwsError {
  const place = placeOf(error, call);
  const own =
    contentWords(error, call.operation) ??
    (error.kind === undefined ? undefined : words[error.kind]);
  if (own !== undefined) {
    const said: Said =
      typeof own === 'string' ? [own, error.message] : own(place, error, call.input);
    const [code, message, members = {}] = said;
    return new AwsError(code, message, { members, because: error.because });
  }
  const field = error.code === 'nameInvalid' ? 'repository' : error.detail?.['field'];
  const known = call.operation.includes('PullThroughCacheRule') ? ruleParameters : parameters;
  return typeof field === 'string'
    ? commonError(
        error,
        commonNames,
        invalid(known[field] ?? field, withoutField(error.message, field)),
      )
    : commonError(error, commonNames);
}

/** ECR's parameters for the fields of operations that are called otherwise. */
const parameters: Readonly<Record<string, string>> = {
  repository: 'repositoryName',
  tagMutability: 'imageTagMutabilityExclusionFilters',
  cursor: 'nextToken',
};

/** The same of rules. */
const ruleParameters: Readonly<Record<string, string>> = {
  prefix: 'ecrRepositoryPrefix',
  upstream: 'upstreamRegistryUrl',
  upstreamPrefix: 'upstreamRepositoryPrefix',
  credential: 'credentialArn',
  role: 'customRoleArn',
  cursor: 'nextToken',
};

/** An input that does not fit the model. */
export function ecrInputError(problem: InputProblem): AwsError {
  if (problem.why === 'type') return new AwsError('SerializationException', typeProblem(problem));
  if (problem.why === 'constraint' && problem.limit === 'pattern')
    return invalidParameter(
      problem.path,
      `must satisfy regular expression '${problem.shape.pattern}'`,
    );
  return invalidParameter(problem.path, constraintWords(problem));
}

export function invalidParameter(parameter: string, why: string): AwsError {
  return new AwsError('InvalidParameterException', invalid(parameter, why));
}

/** Messages of the registry begin with the field, which ECR’s text names before. */
function withoutField(message: string, field: string): string {
  return message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
}

function placeOf({ detail }: RegistryError, { input, asking }: FailedCall): Place {
  const named = detail?.['name'] ?? input['repositoryName'];
  const { registryId } = input;
  return {
    repository: typeof named === 'string' ? named : '',
    registry: typeof registryId === 'string' ? registryId : asking.account,
  };
}
