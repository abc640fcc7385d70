import type { AwsAnswer, AwsAsk, AwsRig } from './aws-rig.ts';

export type Ask = (
  parameters: Readonly<Record<string, string>>,
  asked?: AwsAsk,
) => Promise<AwsAnswer>;

/** IAM's form; `Version` is what tells its actions from STS's. */
export function iamAsker(aws: AwsRig): Ask {
  return (parameters, asked = {}) =>
    aws.form({ Version: '2010-05-08', ...parameters }, { service: 'iam', ...asked });
}

export function member(answer: AwsAnswer, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(answer.text)?.[1];
}

export function membersOf(answer: AwsAnswer, name: string): string[] {
  return [...answer.text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(
    ([, value = '']) => value,
  );
}
