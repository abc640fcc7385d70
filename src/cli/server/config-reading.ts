import type { LoadedConfig } from '../../config/load.ts';
import type { Settings } from '../../config/settings.ts';
import type { MappingFile } from '../../config/mapping/mapping-file.ts';
import { ConfigError } from '../../config/config-error.ts';
import { CommandFailure } from '../command-failure.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** File, environment and defaults, with what each value came from. Throws `CONFIG_INVALID` (2) with every problem. */
export async function readConfig(
  file: string | undefined,
  { env, cwd }: Pick<Terminal, 'env' | 'cwd'>,
): Promise<LoadedConfig> {
  const load = await import('../../config/load.ts');
  return orInvalidConfig(load.readConfig({ file, env, cwd }));
}

/** The settings of these keys alone: what a server needs besides may be missing or wrong. Throws `CONFIG_INVALID` (2). */
export async function readSomeSettings<Key extends keyof Settings>(
  keys: readonly Key[],
  file: string | undefined,
  terminal: Terminal,
  hint?: string,
): Promise<Pick<Settings, Key>> {
  const { readSettings } = await import('../../config/partial.ts');
  const reading = readSettings(keys, { file, env: terminal.env, cwd: terminal.cwd });
  return orInvalidConfig(reading, hint);
}

/** A mapping file. Throws `CONFIG_INVALID` (2) with every problem. */
export async function readMapping(
  file: string,
  { cwd }: Pick<Terminal, 'cwd'>,
): Promise<MappingFile> {
  const { readMappingFile } = await import('../../config/mapping/mapping-file.ts');
  return orInvalidConfig(readMappingFile({ file, cwd }), undefined, 'the mapping is invalid');
}

async function orInvalidConfig<Value>(
  reading: Promise<Value>,
  hint?: string,
  message = 'the configuration is invalid',
): Promise<Value> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CommandFailure(message, {
      exit: 'usage',
      code: 'CONFIG_INVALID',
      problems: error.message.split('\n'),
      hint,
      cause: error,
    });
  }
}
