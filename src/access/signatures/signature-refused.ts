import { RegistryError } from '../../domain/errors.ts';
import type { SignatureProblem } from '../access.ts';

/** Its message is the text that AWS's clients are given. */
export class SignatureRefused extends RegistryError {
  override readonly name: string = 'SignatureRefused';
  readonly problem: SignatureProblem;

  constructor(problem: SignatureProblem, message: string, retryAfterMs?: number) {
    super(
      problem === 'throttled' ? 'tooManyRequests' : 'unauthorized',
      message,
      retryAfterMs === undefined ? {} : { retryAfterMs },
    );
    this.problem = problem;
  }
}

export function incomplete(message: string): SignatureRefused {
  return new SignatureRefused('incomplete', message);
}

/** `message` undefined: AWS's for a signature that is not the one which the secret makes. */
export function wrong(message: string = notThisSignature): SignatureRefused {
  return new SignatureRefused('wrong', message);
}

const notThisSignature =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';
