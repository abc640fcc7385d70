import { resolve } from 'node:path';
import { isObject } from '../../domain/json.ts';
import { ChildFailure, runChild } from '../programs/bounded-child.ts';
import { ClusterFailure } from './cluster-failure.ts';
import type { ClusterTarget } from './target.ts';
import { flagOf, listOf, textOf, wrongField } from './yaml-fields.ts';
import type { Fields } from './yaml-fields.ts';

/** What a plugin hands out: a token, a client certificate, or both. */
export interface ExecCredential {
  readonly token: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Milliseconds since 1970; `undefined`: until the server refuses it. */
  readonly expiresAt: number | undefined;
}

export interface PluginSurroundings {
  readonly env: NodeJS.ProcessEnv;
  /** Somebody can be asked: the plugin gets the terminal. */
  readonly interactive: boolean;
  /** Milliseconds; the plugin and what it started are killed then. */
  readonly deadlineMs: number;
}

const outputBytesMax = 1024 * 1024;
const errorCharactersMax = 2000;
const versions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

/** Runs the `exec` of a user (kubernetes.io/docs/reference/access-authn-authz/authentication, "client-go credential plugins"). Throws a `ClusterFailure` that names the command. */
export async function runPlugin(
  exec: Fields,
  target: ClusterTarget,
  surroundings: PluginSurroundings,
  signal: AbortSignal,
): Promise<ExecCredential> {
  const plugin = pluginOf(exec, target, surroundings);
  const printed = await run(plugin, surroundings, signal);
  return readCredential(printed, plugin);
}

interface Plugin {
  readonly label: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly apiVersion: string;
  readonly installHint: string;
  readonly interactive: boolean;
}

function pluginOf(exec: Fields, target: ClusterTarget, around: PluginSurroundings): Plugin {
  const apiVersion = textOf(exec, 'apiVersion') ?? '';
  if (!versions.includes(apiVersion))
    throw wrongField(exec.where, 'apiVersion', versions.join(' or '));
  const command = textOf(exec, 'command');
  if (command === undefined) throw wrongField(exec.where, 'command', 'the name of a program');
  const mode = textOf(exec, 'interactiveMode') ?? 'IfAvailable';
  if (mode === 'Always' && !around.interactive)
    throw new ClusterFailure(`${command} of context ${target.context} wants a terminal`, {
      kind: 'credentials',
      hint: 'run this in a terminal, or use a context whose credential needs nobody to type',
    });
  const interactive = around.interactive && mode !== 'Never';
  const info = {
    apiVersion,
    kind: 'ExecCredential',
    spec: {
      interactive,
      ...(flagOf(exec, 'provideClusterInfo') && { cluster: clusterInfo(target) }),
    },
  };
  const env: NodeJS.ProcessEnv = { ...around.env };
  for (const item of listOf(exec, 'env').filter(isObject)) {
    const variable: Fields = { where: `${exec.where}.env`, values: item };
    env[textOf(variable, 'name') ?? ''] = textOf(variable, 'value') ?? '';
  }
  env['KUBERNETES_EXEC_INFO'] = JSON.stringify(info);
  return {
    label: `${command} of context ${target.context}`,
    // A path counts from the kubeconfig's folder, a bare name is looked up in PATH.
    command: /[/\\]/.test(command) ? resolve(target.user.folder, command) : command,
    args: listOf(exec, 'args').map(String),
    env,
    apiVersion,
    installHint: textOf(exec, 'installHint') ?? `install ${command}, or name a context without it`,
    interactive,
  };
}

function clusterInfo(target: ClusterTarget): object {
  const { server, ca, insecure, serverName, proxyUrl } = target;
  return {
    server: server.href.replace(/\/$/, ''),
    ...(ca !== undefined && { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
    ...(insecure && { 'insecure-skip-tls-verify': true }),
    ...(serverName !== undefined && { 'tls-server-name': serverName }),
    ...(proxyUrl !== undefined && { 'proxy-url': proxyUrl.href }),
  };
}

/** What it prints on stdout; its end, and that of all it started, comes at the deadline at the latest. */
async function run(
  plugin: Plugin,
  { deadlineMs }: PluginSurroundings,
  signal: AbortSignal,
): Promise<string> {
  try {
    return await runChild({ ...plugin, deadlineMs, outputBytesMax, errorCharactersMax }, signal);
  } catch (error) {
    throw error instanceof ChildFailure ? asClusterFailure(error, plugin) : error;
  }
}

function asClusterFailure(
  { reason, isMissing, message, errors, cause }: ChildFailure,
  { label, command, installHint }: Plugin,
): ClusterFailure {
  if (reason === 'not started')
    return new ClusterFailure(
      isMissing ? `${label} is not there` : `${label} could not be started`,
      {
        kind: 'credentials',
        hint: isMissing ? installHint : `check that ${command} may be run`,
        because: message,
        cause,
      },
    );
  return new ClusterFailure(`the credential plugin ${label} ${message}`, {
    kind: 'credentials',
    hint: 'run it by hand to see what it waits for; kubectl get nodes uses the same',
    ...(errors !== '' && { because: errors }),
  });
}

/** The error never holds what was printed: it may be a token. */
function readCredential(printed: string, { label, apiVersion }: Plugin): ExecCredential {
  const wrong = (what: string): ClusterFailure =>
    new ClusterFailure(`the credential plugin ${label} printed ${what}`, {
      kind: 'credentials',
      hint: `it has to print an ExecCredential of ${apiVersion}; run it by hand to see it`,
    });
  let value: unknown;
  try {
    value = JSON.parse(printed);
  } catch {
    throw wrong('no JSON');
  }
  if (!isObject(value) || value['kind'] !== 'ExecCredential') throw wrong('no ExecCredential');
  if (value['apiVersion'] !== apiVersion) throw wrong('an ExecCredential of another version');
  const status = isObject(value['status']) ? value['status'] : {};
  const text = (name: string): string | undefined => {
    const found = status[name];
    return typeof found === 'string' && found !== '' ? found : undefined;
  };
  const [token, cert, key] = [text('token'), text('clientCertificateData'), text('clientKeyData')];
  if (token === undefined && (cert === undefined || key === undefined))
    throw wrong('neither a token nor a client certificate with its key');
  const expires = Date.parse(text('expirationTimestamp') ?? '');
  return { token, cert, key, expiresAt: Number.isNaN(expires) ? undefined : expires };
}
