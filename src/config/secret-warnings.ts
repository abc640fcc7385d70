import { nearest } from '../domain/nearest.ts';
import type { Config } from './config.ts';

/** One line for each rule whose credential `secretsFile` lacks: whether an API's secrets have it, only the server can say. */
export function secretWarnings({ rules, secrets }: Pick<Config, 'rules' | 'secrets'>): string[] {
  return rules.flatMap(({ secret }) => {
    if (secret === undefined) return [];
    const near = nearest(secret.name, [...secrets.keys()]);
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    return [
      `${secret.at}: ${secret.name} is not in secretsFile, and looked for among the secrets made over the API${hint}`,
    ];
  });
}
