import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { NewAccessKeyView, UserView } from '../../contract/access-view.ts';
import type { NodeKey } from '../../kubernetes/nodes/node-settings.ts';
import type { CommandContext } from '../command-context.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import type { FoundMapping } from '../move/mapping-source.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { refusedTo } from './import-right.ts';

/** What a node needs beside what everybody may: the repository is made and its content fetched at the first pull. */
export const mayImport = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: ['ecr:CreateRepository', 'ecr:ReplicateImage', 'ecr:BatchImportUpstreamImage'],
      Resource: '*',
    },
  ],
} as const;

const keyBytesMax = 4096;

/** The pair `USER:SECRET` of a file, or of stdin for `-`. Throws `USAGE` (2). */
export async function readKey(path: string, { terminal }: CommandContext): Promise<NodeKey> {
  const text =
    path === '-'
      ? await terminal.input(keyBytesMax)
      : await readFile(resolve(terminal.cwd, path), 'utf8');
  const pair = text.trim();
  const colon = pair.indexOf(':');
  if (
    colon < 1 ||
    colon === pair.length - 1 ||
    /[^\x21-\x7e]/.test(pair) ||
    pair.length > keyBytesMax
  )
    throw usageFailure(
      '--key-file: it holds no key',
      'one line, ID:SECRET, as breakwater user keys create shows them',
    );
  return { user: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/**
 * Makes a key of the robot, and the robot where it is not there, which then may have fetched what is new. One that is there keeps what it may; where that is
 * not enough no key is made. Throws `ROBOT_MAY_NOT` (6).
 */
export async function makeRobotKey(
  name: string,
  { mapping, source }: FoundMapping,
  { options, context }: { readonly options: ServerOptions; readonly context: CommandContext },
): Promise<NodeKey> {
  if (source !== 'server')
    throw usageFailure(
      '--robot makes a key on the server, and none is asked here',
      'leave out --mapping, or give a key that was made there with --key-file',
    );
  const ask = async <T>(
    method: 'POST' | 'PUT',
    path: string,
    body: Readonly<Record<string, unknown>>,
  ): Promise<T> => askServer<T>({ method, path, body }, options, context.terminal);
  const isNew = await makeRobot(name, ask);
  if (isNew)
    await ask('PUT', 'identity-policies', {
      user: name,
      name: 'import',
      policy: JSON.stringify(mayImport),
    });
  const refused = await refusedTo({ mapping, source, as: name }, options, context);
  if (refused !== undefined && refused.hosts.length > 0)
    throw new CommandFailure(
      `${name} may not have images fetched from ${refused.hosts.join(', ')}`,
      {
        exit: 'conflict',
        code: 'ROBOT_MAY_NOT',
        because: refused.because,
        hint: `let it: breakwater policy set --user ${name} --name import --file examples/policies/nodes-may-import.json`,
      },
    );
  const key = await ask<NewAccessKeyView>('POST', 'access-keys', { user: name });
  return { user: key.accessKeyId, password: key.secretAccessKey };
}

type Ask = <T>(
  method: 'POST' | 'PUT',
  path: string,
  body: Readonly<Record<string, unknown>>,
) => Promise<T>;

/** Answers whether it was not there before. */
async function makeRobot(name: string, ask: Ask): Promise<boolean> {
  try {
    await ask<UserView>('POST', 'users', { name, kind: 'robot' });
    return true;
  } catch (error) {
    if (error instanceof CommandFailure && error.exit === 'conflict') return false;
    throw error;
  }
}
