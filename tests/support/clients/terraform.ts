// Terraform with AWS's provider against a running Breakwater. The provider comes from a filesystem mirror on this machine: none is downloaded.
import { globSync, existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { credentialsOf } from '../processes/breakwater.ts';
import type { Breakwater } from '../processes/breakwater.ts';
import { runCommand } from '../processes/run-command.ts';
import type { CommandResult } from '../processes/run-command.ts';
import { findTool } from '../tools/tools.ts';

export interface Terraform {
  /** Puts the module into the folder, in the place of the one before. */
  write(module: string): Promise<void>;
  apply(): Promise<void>;
  /** True where the plan has nothing to do. */
  planIsEmpty(): Promise<boolean>;
  destroy(): Promise<void>;
  /** What an output of the state is. */
  output(name: string): Promise<unknown>;
  /** Takes a resource out of the state, and imports it by its id. */
  reimport(address: string, id: string): Promise<void>;
}

const mirrors = [
  process.env['BREAKWATER_TERRAFORM_MIRROR'] ?? '',
  ...globSync('/{opt,usr/share,usr/local/share}/{*,terraform/plugins}'),
];
const limitMs = 300_000;

/** Initialised in a folder beside the server's data. Skips where Terraform or a mirror of the provider is missing. */
export async function setTerraform(
  t: TestContext,
  breakwater: Breakwater,
  region = 'us-east-1',
): Promise<Terraform | undefined> {
  const found = await findTool('terraform');
  if ('missing' in found) return skip(t, found.missing);
  const provider = 'registry.terraform.io/hashicorp/aws';
  const mirror = mirrors.find((folder) => folder !== '' && existsSync(join(folder, provider)));
  if (mirror === undefined)
    return skip(t, 'no mirror holds hashicorp/aws: BREAKWATER_TERRAFORM_MIRROR names one');
  const folder = join(breakwater.dataDir, '..', 'terraform');
  await mkdir(folder, { recursive: true });
  const settings = join(folder, 'terraform.rc');
  await writeFile(
    settings,
    `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(mirror)}\n  }\n}\n`,
  );
  const { key, secret } = await credentialsOf(breakwater);
  const env = {
    TF_CLI_CONFIG_FILE: settings,
    TF_IN_AUTOMATION: '1',
    CHECKPOINT_DISABLE: '1',
    AWS_ACCESS_KEY_ID: key,
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_REGION: region,
    AWS_ENDPOINT_URL: breakwater.url,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    NO_PROXY: '127.0.0.1,localhost',
  };
  const attempt = (...args: readonly string[]): Promise<CommandResult> =>
    runCommand(found.path, args, { cwd: folder, env, timeoutMs: limitMs });
  const run = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await attempt(...args);
    if (code !== 0) throw new Error(`terraform ${args.join(' ')}: ${stderr}\n${stdout}`);
    return stdout;
  };
  const quietly = ['-no-color', '-input=false'];
  let isInitialised = false;
  return {
    write: async (module) => {
      await writeFile(join(folder, 'main.tf'), `${providers}${module}`);
      if (!isInitialised) await run('init', ...quietly);
      isInitialised = true;
    },
    apply: async () => void (await run('apply', '-auto-approve', ...quietly)),
    planIsEmpty: async () => {
      const { code, stdout, stderr } = await attempt('plan', '-detailed-exitcode', ...quietly);
      if (code === 1) throw new Error(stderr);
      if (code === 2) t.diagnostic(stdout);
      return code === 0;
    },
    destroy: async () => void (await run('destroy', '-auto-approve', ...quietly)),
    output: async (name) => JSON.parse(await run('output', '-json', name)) as unknown,
    reimport: async (address, id) => {
      await run('state', 'rm', address);
      await run('import', ...quietly, address, id);
    },
  };
}

const providers = `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
`;

function skip(t: TestContext, why: string): undefined {
  t.skip(why);
}
