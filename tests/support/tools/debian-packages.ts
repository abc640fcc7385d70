// Debian's packages as files, by the machine's own apt sources.
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../processes/run-command.ts';

export type Architecture = 'amd64' | 'arm64';

export interface DebianPackages {
  /** The code name, as `bookworm`; empty where the machine does not say. */
  readonly release: string;
  /** The path of the `.deb`; rejects where there is no such package. */
  download(name: string, architecture: Architecture): Promise<string>;
}

/** In an apt state folder of our own: needs no root and changes nothing. `folder` is where downloads go. */
export async function openDebianPackages(
  folder: string,
): Promise<DebianPackages | { readonly missing: string }> {
  const apt = join(folder, 'apt');
  await mkdir(join(apt, 'lists', 'partial'), { recursive: true });
  await mkdir(join(apt, 'cache', 'archives', 'partial'), { recursive: true });
  const options = aptOptions(apt);
  const update = await runCommand('apt-get', [...options, '-q', 'update'], { timeoutMs: 180_000 });
  if (update.code !== 0) return { missing: `apt-get update: ${update.stderr.trim().slice(-200)}` };
  const system = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return {
    release: /^VERSION_CODENAME=(.*)$/m.exec(system)?.[1] ?? '',
    async download(name, architecture) {
      const into = join(apt, `${name}-${architecture}`);
      await mkdir(into, { recursive: true });
      const args = [...options, '-q', 'download', `${name}:${architecture}`];
      const run = await runCommand('apt-get', args, { cwd: into, timeoutMs: 600_000 });
      const file = (await readdir(into)).find((each) => each.endsWith('.deb'));
      if (run.code !== 0 || file === undefined)
        throw new Error(`${name}: ${run.stderr.slice(-300)}`);
      return join(into, file);
    },
  };
}

function aptOptions(folder: string): string[] {
  const settings = [
    'APT::Architecture=amd64',
    'APT::Architectures::=amd64',
    'APT::Architectures::=arm64',
    'APT::Sandbox::User=',
    'Debug::NoLocking=1',
    'Acquire::Languages=none',
    'Acquire::http::Timeout=20',
    'Acquire::Retries=2',
    `Dir::State=${folder}`,
    `Dir::State::lists=${join(folder, 'lists')}`,
    'Dir::State::status=/dev/null',
    `Dir::Cache=${join(folder, 'cache')}`,
  ];
  return settings.flatMap((setting) => ['-o', setting]);
}
