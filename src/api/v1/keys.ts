import * as outputs from '../../contract/keys-schema.ts';
import type { KeyOperations } from '../../operations/keys/keys.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { nothing } from './input.ts';

/** The server's own keys: its operator's. */
export function keyEndpoints({ keys }: { readonly keys: KeyOperations }): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'keys',
      summary: 'The keys that seal secrets, and how much each has sealed',
      operator: true,
      input: nothing,
      output: outputs.keys,
      answer: () => keys.view(),
    }),
    endpoint({
      method: 'POST',
      path: 'keys/rotate',
      summary: 'Begins to seal every secret by a new key',
      operator: true,
      input: nothing,
      output: outputs.keys,
      answer: (_input, asking) => keys.rotate(asking),
    }),
  ];
}
