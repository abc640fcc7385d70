// The AWS command line and boto3 against a running Breakwater, by nothing but its dataDir/credentials.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { rulesOnly, startBreakwater } from '../processes/breakwater.ts';
import type { Breakwater } from '../processes/breakwater.ts';
import { runCommand } from '../processes/run-command.ts';
import type { CommandResult } from '../processes/run-command.ts';
import { findTools } from '../tools/tools.ts';

export interface AwsScene {
  readonly breakwater: Breakwater;
  /** What the clients are told, for others that are started beside them. */
  readonly env: Readonly<Record<string, string>>;
  /** `aws ARGS`: its JSON, or its text where it is none; throws with stderr where it fails. */
  // Answers of every shape are looked into by tests.
  // oxlint-disable-next-line typescript/no-explicit-any
  aws(...args: readonly string[]): Promise<any>;
  attempt(...args: readonly string[]): Promise<CommandResult>;
  /**
   * Runs Python with `boto3`, `call(client, operation, **input)`, which answers the result or `{'error': code, 'message': …}`, and
   * `answer(value)`, whose last value is returned.
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  boto3(program: string): Promise<any>;
  /** The same clients, told something else. */
  with(env: Readonly<Record<string, string>>): AwsScene;
}

const prelude = `
import boto3, json, sys
from botocore.config import Config
from botocore.exceptions import ClientError
config = Config(retries={'max_attempts': 1}, parameter_validation=False)
def client(name, region='us-east-1'):
    return boto3.client(name, region_name=region, config=config)
def call(client, operation, **input):
    try:
        answer = getattr(client, operation)(**input)
        answer.pop('ResponseMetadata', None)
        return answer
    except ClientError as error:
        return {'error': error.response['Error']['Code'], 'message': error.response['Error']['Message']}
answers = []
def answer(value):
    answers.append(value)
`;
const postlude = `
print(json.dumps(answers[-1], default=lambda value: value.timestamp() if hasattr(value, 'timestamp') else str(value)))
`;

/** Skips where `aws` or Python is missing; ends with the test. */
export async function setAwsScene(
  t: TestContext,
  config: Readonly<Record<string, unknown>> = {},
): Promise<AwsScene | undefined> {
  const found = await findTools('aws', 'python3');
  if ('missing' in found) return skip(t, found.missing);
  const { paths } = found;
  const imported = await runCommand(paths.python3, ['-c', 'import boto3']);
  if (imported.code !== 0) return skip(t, 'python3 has no boto3: pip install boto3');
  const breakwater = await startBreakwater({ config: { ...rulesOnly(), ...config } });
  t.after(() => breakwater.close());
  const env = {
    AWS_SHARED_CREDENTIALS_FILE: join(breakwater.dataDir, 'credentials'),
    AWS_CONFIG_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL: '',
    AWS_PROFILE: 'default',
    AWS_PAGER: '',
    NO_PROXY: '127.0.0.1,localhost',
  };
  const place = (await knowsEndpointUrl(paths.aws)) ? [] : ['--endpoint-url', breakwater.url];
  return sceneOf({ breakwater, paths, place }, env);
}

interface Parts {
  readonly breakwater: Breakwater;
  readonly paths: { readonly aws: string; readonly python3: string };
  readonly place: readonly string[];
}

function sceneOf(parts: Parts, env: Readonly<Record<string, string>>): AwsScene {
  const { breakwater, paths, place } = parts;
  const attempt: AwsScene['attempt'] = (...args) =>
    runCommand(paths.aws, [...place, '--output', 'json', ...args], { env });
  return {
    breakwater,
    env,
    attempt,
    aws: async (...args) => {
      const { code, stdout, stderr } = await attempt(...args);
      if (code !== 0) throw new Error(`aws ${args.join(' ')}: ${stderr.trim()}`);
      return /^[[{]/.test(stdout) ? (JSON.parse(stdout) as unknown) : stdout.trim();
    },
    boto3: async (program) => {
      const script = ['-c', `${prelude}${program}${postlude}`];
      const { code, stdout, stderr } = await runCommand(paths.python3, script, { env });
      if (code !== 0) throw new Error(stderr.trim());
      return JSON.parse(stdout) as unknown;
    },
    with: (more) => sceneOf(parts, { ...env, ...more }),
  };
}

function skip(t: TestContext, why: string): undefined {
  t.skip(why);
}

/** Of a profile: version 1 from 1.29, version 2 from 2.13. */
async function knowsEndpointUrl(aws: string): Promise<boolean> {
  const { stdout, stderr } = await runCommand(aws, ['--version']);
  const [, major = '', minor = ''] = /aws-cli\/(\d+)\.(\d+)/.exec(stdout + stderr) ?? [];
  return Number(minor) >= (major === '1' ? 29 : 13);
}
