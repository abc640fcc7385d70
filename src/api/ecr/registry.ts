import { timestamp } from '../aws/service-model.ts';
import { endpointInAnswer, registryOfCall } from './parts.ts';
import type { EcrParts, EcrRows } from './parts.ts';

/** The registry as a whole: passwords for it, and its settings. */
export function registryRows(parts: EcrParts): EcrRows {
  const { accessViews, registrySettings } = parts;
  return {
    GetAuthorizationToken: {
      changes: false,
      answer: async ({ registryIds }, asking) => {
        const given = await accessViews.authorizationToken(asking, registryOfCall(asking));
        const data = (registryIds ?? [asking.account]).map((account) => ({
          authorizationToken: Buffer.from(`AWS:${given.password}`).toString('base64'),
          expiresAt: timestamp(given.expiresAt),
          proxyEndpoint: endpointInAnswer(parts, asking, account),
        }));
        return { authorizationData: data };
      },
    },
    GetAccountSetting: {
      changes: false,
      answer: ({ name }, asking) =>
        registrySettings.accountSetting(asking, { ...registryOfCall(asking), name }),
    },
    PutAccountSetting: {
      changes: true,
      answer: ({ name, value }, asking) =>
        registrySettings.putAccountSetting(asking, { ...registryOfCall(asking), name, value }),
    },
  };
}
