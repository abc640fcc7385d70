import { resolve } from 'node:path';
import { overBuiltinRules } from '../domain/rules/builtin-rules.ts';
import { normalizeHost } from '../domain/names/host-name.ts';
import { parseIpBlock } from '../domain/names/ip-address.ts';
import type { Credential, PullRule, UpstreamUrl } from '../domain/rules/pull-rule.ts';
import { withCanonicalHead } from '../domain/rules/rule-set.ts';
import { certificateHolder } from './account-in-secret.ts';
import type { Config, ListenAddress, OidcIssuer } from './config.ts';
import { parseDuration } from './schema/duration.ts';
import type { FileReader } from './file-reader.ts';
import { parseListenAddress } from './schema/listen-address.ts';
import type { PemText } from './pem.ts';
import { readCertificates, readPrivateKey } from './pem.ts';
import type { Finding } from './schema/problems.ts';
import type { CertificateSettings, OidcSettings, RuleSettings, Settings } from './settings.ts';
import { parseMinFree, parseSize } from './schema/size.ts';
import { parseAllowedHost, parseUpstreamUrl } from '../domain/rules/upstream-url.ts';

export interface ResolveOptions {
  readonly cwd: string;
  readonly credentials: ReadonlyMap<string, Credential>;
  /** Whether those are all of `secretsFile`, so that any other is an API's. */
  readonly areAll: boolean;
  readonly secretsChangedAt: number;
  readonly readFile: FileReader;
  /** Where a setting stands, for who is told of it later. */
  readonly placeOf: (path: readonly PropertyKey[]) => string;
}

export interface Resolved {
  readonly config: Config;
  readonly findings: readonly Finding[];
  /** Absolute; the certificate files of rules. */
  readonly files: readonly string[];
}

/** Checked settings as the values that the server works with; reads the PEM files that they name. */
export async function resolveSettings(
  settings: Settings,
  options: ResolveOptions,
): Promise<Resolved> {
  const pems = createPemLoader(options);
  const own: PullRule[] = [];
  for (const [index, rule] of settings.rules.entries()) {
    own.push(await resolveRule(rule, ['rules', index], options, pems));
  }
  const oidc: OidcIssuer[] = [];
  for (const [index, issuer] of settings.oidc.entries()) {
    const ca = await pems.certificates(absolute(issuer.caFile, options), ['oidc', index, 'caFile']);
    oidc.push(resolveIssuer(issuer, ca, settings.registryId));
  }
  const { cache, tls } = settings;
  // The listener reads them itself; here it is only seen that they will do.
  await pems.pair(
    { certFile: absolute(tls.certFile, options), keyFile: absolute(tls.keyFile, options) },
    ['tls'],
  );
  const config: Config = {
    listen: address(settings.listen),
    adminListen: address(settings.adminListen),
    hubMirrorListen:
      settings.hubMirrorListen === '' ? undefined : address(settings.hubMirrorListen),
    tls:
      tls.certFile === ''
        ? undefined
        : { certFile: absolute(tls.certFile, options), keyFile: absolute(tls.keyFile, options) },
    dataDir: resolve(options.cwd, settings.dataDir),
    publicUrl: settings.publicUrl.replace(/\/$/, ''),
    registryId: settings.registryId,
    organizationId: settings.organizationId,
    regions: settings.regions,
    anonymousPull: settings.anonymousPull,
    anonymousImport: settings.anonymousImport,
    trustedProxies: settings.trustedProxies.map((text) => present(parseIpBlock(text))),
    apiUpstreams: settings.apiUpstreams,
    secrets: options.credentials,
    secretsFile:
      settings.secretsFile === ''
        ? undefined
        : { path: settings.secretsFile, changedAt: options.secretsChangedAt },
    createOnPush: settings.createOnPush,
    sparseIndexes: settings.sparseIndexes,
    oidc,
    drainMs: milliseconds(settings.drain),
    shutdownDelayMs: milliseconds(settings.shutdownDelay),
    cache: {
      parallelAboveBytes: bytes(cache.parallelAbove),
      pieceBytes: bytes(cache.pieceSize),
      connectionsPerBlob: cache.connectionsPerBlob,
      minFree: present(parseMinFree(cache.minFree)),
      maxBlobBytes: bytes(cache.maxBlobBytes),
    },
    lifecycle: settings.lifecycle,
    keys: {
      from: settings.keys.from,
      environment: settings.keys.environment,
      command: settings.keys.command,
      commandTimeoutMs: milliseconds(settings.keys.commandTimeout),
    },
    limits: {
      connectionsMax: settings.limits.connections,
      downloadsMax: settings.limits.downloads,
    },
    rules: settings.defaultRules ? overBuiltinRules(own) : own,
  };
  return { config, findings: pems.findings, files: pems.files };
}

function resolveIssuer(
  { issuer, audiences, jwksUrl, principals }: OidcSettings,
  ca: string | undefined,
  registryId: string,
): OidcIssuer {
  return {
    issuer,
    audiences,
    jwksUrl: jwksUrl === '' ? undefined : jwksUrl,
    ca,
    principals: principals.map((one) => ({
      ...one,
      account: one.account === '' ? registryId : one.account,
    })),
  };
}

async function resolveRule(
  rule: RuleSettings,
  path: readonly PropertyKey[],
  options: ResolveOptions,
  pems: PemLoader,
): Promise<PullRule> {
  const upstream = url(rule.upstream);
  const shown = credentialOf(rule.credential, [...path, 'credential'], options);
  const isSomebody = shown.credential !== undefined || rule.clientCert.certFile !== '';
  return {
    prefix: withCanonicalHead(rule.prefix),
    origin: 'file',
    urls: [upstream, ...rule.mirrors.map(url)],
    upstreamHost: normalizeHost(upstream.host),
    upstreamPrefix: rule.upstreamPrefix,
    ...shown,
    anonymousPull: rule.anonymousPull ?? !isSomebody,
    freshForMs: milliseconds(rule.freshFor),
    staleBudgetMs: milliseconds(rule.staleBudget),
    onFailure: rule.onFailure,
    platforms: rule.platforms,
    push: rule.push,
    allow: rule.allow,
    deny: rule.deny,
    allowHosts: rule.allowHosts.map((host) => present(parseAllowedHost(host))),
    ca: await pems.certificates(absolute(rule.caFile, options), [...path, 'caFile']),
    clientCert: await pems.pair(
      {
        certFile: absolute(rule.clientCert.certFile, options),
        keyFile: absolute(rule.clientCert.keyFile, options),
      },
      [...path, 'clientCert'],
    ),
    maxConnections: rule.maxConnections,
  };
}

/** One that `secretsFile` lacks is looked for among the secrets of an API once the server can read these; until then upstream is not asked. */
function credentialOf(
  name: string,
  path: readonly PropertyKey[],
  { credentials, areAll, placeOf }: ResolveOptions,
): Pick<PullRule, 'credential' | 'secret' | 'blocked'> {
  if (name === '') return { credential: undefined };
  const inFile = credentials.get(name);
  if (inFile !== undefined || !areAll) return { credential: inFile };
  const at = placeOf(path);
  return {
    credential: { name, username: '', accessToken: '' },
    secret: { name, at },
    blocked: `${at}: the secret ${name} has not been read yet`,
  };
}

interface PemLoader {
  readonly findings: Finding[];
  readonly files: string[];
  certificates(file: string, path: readonly PropertyKey[]): Promise<string | undefined>;
  pair(files: CertificateSettings, path: readonly PropertyKey[]): Promise<PullRule['clientCert']>;
}

function createPemLoader({ readFile }: ResolveOptions): PemLoader {
  const findings: Finding[] = [];
  const files: string[] = [];
  const taken = (read: PemText, file: string, path: readonly PropertyKey[]): string | undefined => {
    files.push(file);
    if ('pem' in read) return read.pem;
    findings.push({ path, part: 'value', message: `the file ${file} ${read.problem}` });
    return undefined;
  };
  const certificates = async (
    file: string,
    path: readonly PropertyKey[],
  ): Promise<string | undefined> =>
    file === '' ? undefined : taken(await readCertificates(file, readFile), file, path);
  return {
    findings,
    files,
    certificates,
    async pair({ certFile, keyFile }, path) {
      const cert = await certificates(certFile, [...path, 'certFile']);
      if (cert === undefined || keyFile === '') return undefined;
      const key = taken(await readPrivateKey(keyFile, cert, readFile), keyFile, [
        ...path,
        'keyFile',
      ]);
      return key === undefined ? undefined : { cert, key, holder: certificateHolder(cert) };
    },
  };
}

/** Relative paths go from the working directory; empty stays empty. */
function absolute(path: string, { cwd }: ResolveOptions): string {
  return path === '' ? '' : resolve(cwd, path);
}

function url(text: string): UpstreamUrl {
  const parsed = parseUpstreamUrl(text);
  if ('problem' in parsed) throw new Error(`unchecked upstream: ${parsed.problem}`);
  return parsed;
}

function address(text: string): ListenAddress {
  return present(parseListenAddress(text));
}

function milliseconds(text: string): number {
  return present(parseDuration(text));
}

function bytes(text: string): number {
  return present(parseSize(text));
}

/** The schema has parsed it once already. */
function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('unchecked setting');
  return value;
}
