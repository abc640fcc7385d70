import { join } from 'node:path';
import type { Addresses } from './addresses.ts';
import type { Config } from '../config/config.ts';
import { isAllowed } from '../domain/rules/name-pattern.ts';
import type { PullRule } from '../domain/rules/pull-rule.ts';
import { parseReference } from '../domain/names/reference.ts';
import { rootPrefix } from '../domain/rules/rule-set.ts';

/** A public image of each well-known registry. */
const publicImages: Readonly<Record<string, string>> = {
  'docker.io': 'library/nginx:latest',
  'registry.k8s.io': 'pause:3.10',
  'quay.io': 'prometheus/busybox:latest',
  'ghcr.io': 'fluxcd/source-controller:v1.4.1',
  'public.ecr.aws': 'docker/library/busybox:latest',
  'mcr.microsoft.com': 'dotnet/runtime:8.0',
  'cgr.dev': 'chainguard/static:latest',
};

/** What a person at a terminal reads: where to pull from, by the rules and settings that there are. */
export function greetingOf(addresses: Addresses, config: Config): string {
  const { rules, dataDir } = config;
  const lines = [
    `Breakwater serves on ${addresses.listen}  (health and metrics on ${addresses.adminListen})`,
    '',
    ...suggestions(addresses, config).map((line) => `  ${line}`),
    '',
    rules.length === 0
      ? 'There are no rules: what is pushed can be pulled, and nothing comes from elsewhere.'
      : `Any of these names comes through: ${rules.map(({ prefix }) => prefix).join(', ')}`,
    `Stored in ${dataDir}; Ctrl-C stops. Images appear below as they arrive.`,
    '',
  ];
  return `${lines.join('\n')}\n`;
}

function suggestions(addresses: Addresses, config: Config): readonly string[] {
  const { rules, tls, publicUrl, dataDir, anonymousPull, anonymousImport } = config;
  const host = hostToType(addresses, config);
  const login = `docker login ${host}  # user and password: ${join(dataDir, 'credentials')}`;
  const [rule] = rules;
  if (rule === undefined)
    return [login, `docker tag IMAGE ${host}/team/app:1 && docker push ${host}/team/app:1`];
  const images = rules.flatMap((each) => publicImageUnder(each) ?? []).slice(0, 2);
  const [first, second = first] = images;
  const logins = first === undefined || !anonymousPull || anonymousImport === false ? [login] : [];
  if (first === undefined) {
    return [...logins, `docker pull ${host}/${anyNameUnder(rule)}`];
  }
  const insecure = tls === undefined && publicUrl === '' ? '--src-tls-verify=false ' : '';
  return [
    ...logins,
    `docker pull ${host}/${first}`,
    `skopeo copy ${insecure}docker://${host}/${second} dir:image`,
  ];
}

function anyNameUnder({ prefix, upstreamHost }: PullRule): string {
  if (prefix === rootPrefix) return 'NAME:TAG';
  return isOfOneRepository(prefix, upstreamHost) ? `${prefix}:TAG` : `${prefix}/NAME:TAG`;
}

/** `docker.io/aquasec/trivy-db`: the prefix goes on behind the host's name. */
function isOfOneRepository(prefix: string, upstreamHost: string): boolean {
  return prefix.startsWith(`${upstreamHost}/`);
}

/** `undefined` where none is known to be there, or not everyone may pull it. */
function publicImageUnder(rule: PullRule): string | undefined {
  const { prefix, upstreamHost, upstreamPrefix, anonymousPull } = rule;
  const [name = '', tag = ''] = publicImages[upstreamHost]?.split(':') ?? [];
  const reference = parseReference(tag);
  if (prefix === rootPrefix || isOfOneRepository(prefix, upstreamHost)) return undefined;
  if (reference === undefined || upstreamPrefix !== '' || !anonymousPull) return undefined;
  return isAllowed(rule, name, reference) ? `${prefix}/${name}:${tag}` : undefined;
}

/** As a client on this machine writes it: never `0.0.0.0`. */
function hostToType({ listen }: Addresses, { publicUrl }: Config): string {
  const { host, port, hostname } = new URL(publicUrl === '' ? listen : publicUrl);
  return hostname === '0.0.0.0' || hostname === '[::]' ? `localhost:${port}` : host;
}
