import { RegistryError } from './errors.ts';

/** Upstream's list could not be read now because of others that are: nothing is said of the upstream. */
export class ListsBusy extends RegistryError {
  override readonly name = 'ListsBusy';

  constructor() {
    super('unavailable', 'too many lists are being read', { retryAfterMs: 1000 });
  }
}
