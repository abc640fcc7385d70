import { AwsError } from './aws-error.ts';
import type { AwsService } from './service-table.ts';

/** What was asked is of no service that is served: most come here because AWS_ENDPOINT_URL sends every service to this server. */
export function notServed(services: readonly AwsService[], asked: string): AwsError {
  const names = services.map(({ name }) => name).join(', ');
  const variables = services.map(({ endpointVariable }) => endpointVariable).join(', ');
  return new AwsError(
    'UnknownOperationException',
    `Breakwater does not serve ${asked}: it serves ${names}. Where AWS_ENDPOINT_URL sends all services here, set ${variables} instead, so that the others go to AWS.`,
  );
}
