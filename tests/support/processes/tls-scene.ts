// A Breakwater with TLS and its administrator's pair, and a client that trusts it with a home of its own.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { basicOf } from './breakwater.ts';
import { createTestAuthority } from '../samples/certificates.ts';
import { setScene } from './scene.ts';
import type { Scene, SceneOptions } from './scene.ts';
import { findTools, runCommand } from '../tools/tools.ts';
import type { CommandResult, ToolName } from '../tools/tools.ts';

export interface TlsScene<Name extends ToolName> extends Scene {
  /** Its path is short, since podman takes no long one. */
  readonly folder: string;
  readonly paths: Readonly<Record<Name, string>>;
  /** The access key of `dataDir/credentials`. */
  readonly user: string;
  readonly password: string;
  /** The authority's certificate, PEM. */
  readonly caFile: string;
  /** A folder with that certificate alone, for `--cert-dir`. */
  readonly certDir: string;
  /** Runs a client to its end, whatever its exit code. */
  attempt(tool: Name, args: readonly string[], input?: string): Promise<CommandResult>;
  /** Runs a client and answers its stdout; throws where it fails. */
  run(tool: Name, args: readonly string[], input?: string): Promise<string>;
}

/** A scene whose Breakwater listens with TLS; nothing, and a skip said aloud, where it or a client can't be had. */
export async function setTlsScene<const Name extends ToolName>(
  t: TestContext,
  tools: readonly Name[],
  options: SceneOptions = {},
): Promise<TlsScene<Name> | undefined> {
  const found = await findTools(...tools);
  if ('missing' in found) {
    t.skip(found.missing);
    return undefined;
  }
  const folder = await mkdtemp(join(tmpdir(), 'bw-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { caFile, certDir, tls } = await writeCertificates(folder);
  const scene = await setScene(t, { ...options, settings: { ...options.settings, tls } });
  if (scene === undefined) return undefined;
  const { user, password } = await administratorOf(scene);
  const env = await clientEnvironment(folder, caFile);
  const attempt = async (
    tool: Name,
    args: readonly string[],
    input?: string,
  ): Promise<CommandResult> =>
    await runCommand(found.paths[tool], args, {
      env,
      cwd: folder,
      ...(input === undefined ? {} : { input }),
    });
  return {
    ...scene,
    folder,
    paths: found.paths,
    user,
    password,
    caFile,
    certDir,
    attempt,
    async run(tool, args, input) {
      const { code, stdout, stderr } = await attempt(tool, args, input);
      const shown = args.join(' ').replaceAll(password, '…');
      assert.equal(code, 0, `${tool} ${shown}: ${stderr}\n${stdout}\n${scene.breakwater.logs()}`);
      return stdout;
    },
  };
}

async function writeCertificates(folder: string): Promise<{
  readonly caFile: string;
  readonly certDir: string;
  readonly tls: { readonly certFile: string; readonly keyFile: string };
}> {
  const authority = await createTestAuthority();
  const pair = await authority.issue(['127.0.0.1', 'localhost']);
  const certDir = join(folder, 'certs');
  await mkdir(certDir);
  const caFile = join(certDir, 'ca.crt');
  const tls = { certFile: join(folder, 'server.pem'), keyFile: join(folder, 'server.key') };
  await writeFile(caFile, authority.ca);
  await writeFile(tls.certFile, pair.cert);
  await writeFile(tls.keyFile, pair.key, { mode: 0o600 });
  return { caFile, certDir, tls };
}

async function administratorOf(
  scene: Scene,
): Promise<{ readonly user: string; readonly password: string }> {
  const basic = (await basicOf(scene.breakwater)).slice('Basic '.length);
  const [user = '', password = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':');
  return { user, password };
}

/** Nothing of the machine's own settings is read or written, and what isn't on loopback is out of reach. */
async function clientEnvironment(folder: string, caFile: string): Promise<Record<string, string>> {
  const home = join(folder, 'home');
  await mkdir(join(home, 'docker'), { recursive: true });
  await mkdir(join(home, 'tmp'));
  await mkdir(join(home, 'run'), { mode: 0o700 });
  const registriesConf = join(home, 'registries.conf');
  await writeFile(registriesConf, '');
  const authFile = join(home, 'docker', 'config.json');
  await writeFile(authFile, '{}');
  const nowhere = 'http://127.0.0.1:9';
  return {
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_DATA_HOME: join(home, 'data'),
    XDG_RUNTIME_DIR: join(home, 'run'),
    TMPDIR: join(home, 'tmp'),
    TUF_ROOT: join(home, 'tuf'),
    COSIGN_PASSWORD: '',
    DOCKER_CONFIG: join(home, 'docker'),
    REGISTRY_AUTH_FILE: authFile,
    CONTAINERS_REGISTRIES_CONF: registriesConf,
    SSL_CERT_FILE: caFile,
    HTTP_PROXY: nowhere,
    HTTPS_PROXY: nowhere,
    NO_PROXY: '127.0.0.1,localhost',
  };
}
