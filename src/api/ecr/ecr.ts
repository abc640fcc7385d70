import { commonNames } from '../aws/error-names.ts';
import { loadedOnce, rowsOf } from '../aws/service-table.ts';
import type { AwsService } from '../aws/service-table.ts';
import { backfillRows } from './backfills.ts';
import { configurationRows } from './configurations.ts';
import { ecrError, ecrInputError } from './errors.ts';
import { exclusionRows } from './exclusions.ts';
import { lifecycleRows } from './lifecycles.ts';
import type { EcrOperations } from './model.ts';
import type { EcrParts } from './parts.ts';
import { imageContentRows } from './image-content.ts';
import { imageStatusRows } from './image-statuses.ts';
import { imageListRows } from './images.ts';
import { layerRows } from './layers.ts';
import { policyRows } from './policies.ts';
import { registryRows } from './registry.ts';
import { repositoryRows } from './repositories.ts';
import { ruleRows } from './rules.ts';
import { templateRows } from './templates/templates.ts';
import { tagRows } from './tags.ts';

/** Amazon ECR. */
export function ecrService(parts: EcrParts): AwsService {
  return {
    name: 'ecr',
    endpointVariable: 'AWS_ENDPOINT_URL_ECR',
    actionPrefix: 'ecr',
    protocol: {
      kind: 'json',
      targetPrefix: 'AmazonEC2ContainerRegistry_V20150921',
      messageMember: 'message',
    },
    model: loadedOnce(() => import('./model.ts')),
    rows: rowsOf<EcrOperations>(
      registryRows(parts),
      repositoryRows(parts),
      tagRows(parts),
      templateRows(parts),
      imageListRows(parts),
      imageContentRows(parts),
      imageStatusRows(parts),
      layerRows(parts),
      policyRows(parts),
      lifecycleRows(parts),
      ruleRows(parts),
      configurationRows(parts),
      exclusionRows(parts),
      backfillRows(parts),
    ),
    errorNames: commonNames,
    inputError: ecrInputError,
    knownError: ecrError,
  };
}
