import * as z from 'zod';
import * as outputs from '../../contract/access-schema.ts';
import { registryOf } from '../../domain/names/registry.ts';
import { registryUrl } from '../../domain/names/registry-url.ts';
import type { AccessViews } from '../../operations/access-views.ts';
import { isoTime } from '../../operations/page.ts';
import type { Places } from '../../operations/places.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { fields, nothing, pageFields, registryFields, repositoryFields } from './input.ts';

export interface AccessParts {
  readonly accessViews: AccessViews;
  readonly places: Pick<Places, 'home'>;
  /** Without a trailing slash; empty: the address that the client asked at. */
  readonly publicUrl: () => string;
}

/** Who asks and what they may, why it was decided so, and what was. */
export function accessEndpoints(parts: AccessParts): readonly Endpoint[] {
  const { accessViews } = parts;
  return [
    endpoint({
      method: 'GET',
      path: 'whoami',
      summary: 'Who the credential speaks for',
      input: nothing,
      output: outputs.whoami,
      answer: (_input, asker) => accessViews.whoami(asker),
    }),
    endpoint({
      method: 'POST',
      path: 'authorization-token',
      summary: 'A password of twelve hours for registry clients, as ECR gives it',
      input: z.strictObject(registryFields),
      output: outputs.authorizationToken,
      answer: async (input, asking) => {
        const given = await accessViews.authorizationToken(asking, input);
        return {
          authorizationToken: Buffer.from(`AWS:${given.password}`).toString('base64'),
          expiresAt: isoTime(given.expiresAt),
          proxyEndpoint: registryUrl(
            parts.publicUrl() || asking.origin,
            registryOf(given.registry),
            given.registry === parts.places.home,
          ),
        };
      },
    }),
    endpoint({
      method: 'POST',
      path: 'access/can',
      summary: 'Whether a principal may do something, and which statement decides',
      input: z.strictObject({
        principal: fields.reference,
        action: fields.name,
        ...repositoryFields,
        sourceIp: fields.address,
      }),
      output: outputs.accessDecision,
      answer: (input, asker) => accessViews.can(asker, input),
    }),
    endpoint({
      method: 'GET',
      path: 'audit',
      summary: 'Changes, denials and logins, the newest first',
      operator: true,
      input: z.strictObject({
        account: fields.account,
        ...pageFields,
      }),
      output: outputs.listOf(outputs.auditEntry),
      answer: (input) => accessViews.audit(input),
    }),
  ];
}
