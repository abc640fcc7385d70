import type { Label } from '../names/label.ts';
import type { RegistryKey } from '../names/registry.ts';
import { registryOf } from '../names/registry.ts';
import { secretArn } from '../names/secret-arn.ts';

/** Names a secret: no two of a registry have the same name. */
export interface SecretKey {
  readonly registry: RegistryKey;
  readonly name: string;
}

/** What is kept of a secret beside its values. Times are wall ms. */
export interface Secret extends SecretKey {
  /** Six letters and digits behind the name in its ARN: a later secret of the name has others. */
  readonly suffix: string;
  readonly description?: string;
  /** As it was given; values are sealed by the server's own keys whatever it says. */
  readonly kmsKey?: string;
  readonly type?: string;
  /** In the order of their keys, none twice. */
  readonly tags: readonly Label[];
  /** Text of its resource policy, verbatim. */
  readonly policy?: string;
  /** Of the request that made it, by which a repeat of that is known. */
  readonly token: string;
  readonly createdAt: number;
  readonly changedAt: number;
  /** Start of the day, UTC, on which a value was read last. */
  readonly accessedAt?: number;
  /** Until `at` it can be brought back; then it is gone. */
  readonly deletion?: { readonly askedAt: number; readonly at: number };
  /** The oldest first. */
  readonly versions: readonly SecretVersion[];
}

/** One value that a secret has, or had. */
export interface SecretVersion {
  readonly id: string;
  /** None: it is deprecated, and goes when there are too many. */
  readonly stages: readonly string[];
  readonly createdAt: number;
  readonly accessedAt?: number;
}

export const currentStage = 'AWSCURRENT';
export const previousStage = 'AWSPREVIOUS';

/** Whole, with the six characters behind the name. */
export function arnOfSecret({
  registry,
  name,
  suffix,
}: Pick<Secret, 'registry' | 'name' | 'suffix'>): string {
  return secretArn(registryOf(registry), `${name}-${suffix}`);
}

export function isSecretName(text: string): boolean {
  return /^[A-Za-z0-9/_+=.@-]{1,512}$/.test(text);
}

/** Whether its time to be brought back is over. */
export function isGone({ deletion }: Pick<Secret, 'deletion'>, now: number): boolean {
  return deletion !== undefined && deletion.at <= now;
}

export function versionOfStage(
  { versions }: Pick<Secret, 'versions'>,
  stage: string,
): SecretVersion | undefined {
  return versions.find(({ stages }) => stages.includes(stage));
}
