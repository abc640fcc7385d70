import { withCanonicalHead } from '../domain/rules/rule-set.ts';
import { listensTwice, parseListenAddress } from './schema/listen-address.ts';
import type { Finding } from './schema/problems.ts';
import { showValue } from './schema/problems.ts';

/**
 * What no single value shows. Works on unchecked input, so that it is told together with what the schema finds;
 * values of a wrong type are the schema's.
 */
export function crossCheck(input: unknown): Finding[] {
  const rules = list(field(input, 'rules'));
  return [
    ...listeners(input),
    ...certificatePair(field(input, 'tls'), ['tls']),
    ...rules.flatMap((rule, index) =>
      certificatePair(field(rule, 'clientCert'), ['rules', index, 'clientCert']),
    ),
    ...keySources(field(input, 'keys')),
    ...samePrefixes(rules),
    ...sameRegions(list(field(input, 'regions'))),
    ...sameIssuers(list(field(input, 'oidc'))),
  ];
}

function listeners(input: unknown): Finding[] {
  const findings: Finding[] = [];
  const bound: { key: string; text: string }[] = [];
  for (const key of ['listen', 'adminListen', 'hubMirrorListen']) {
    const text =
      field(input, key) ?? { listen: '127.0.0.1:5000', adminListen: '127.0.0.1:5001' }[key];
    const address = typeof text === 'string' ? parseListenAddress(text) : undefined;
    if (typeof text !== 'string' || address === undefined) continue;
    const taken = bound.find((other) => {
      const there = parseListenAddress(other.text);
      return there !== undefined && listensTwice(there, address);
    });
    if (taken !== undefined) {
      const message = `${showValue(text)} is taken by ${taken.key}; write another port`;
      findings.push({ path: [key], part: 'value', message });
    }
    bound.push({ key, text });
  }
  return findings;
}

function certificatePair(pair: unknown, path: readonly PropertyKey[]): Finding[] {
  const certFile = field(pair, 'certFile') ?? '';
  const keyFile = field(pair, 'keyFile') ?? '';
  if (typeof certFile !== 'string' || typeof keyFile !== 'string') return [];
  if ((certFile === '') === (keyFile === '')) return [];
  const [missing, there] = certFile === '' ? ['certFile', 'keyFile'] : ['keyFile', 'certFile'];
  return [
    {
      path: [...path, missing],
      part: 'value',
      message: `missing beside ${there}; write both or neither`,
    },
  ];
}

function keySources(keys: unknown): Finding[] {
  const from = list(field(keys, 'from'));
  const twice = from.flatMap((source, index): Finding[] => {
    if (typeof source !== 'string' || from.indexOf(source) === index) return [];
    const message = `${showValue(source)} is keys.from[${from.indexOf(source)}] too; keep one of them`;
    return [{ path: ['keys', 'from', index], part: 'value', message }];
  });
  const command = field(keys, 'command');
  if (!from.includes('command') || list(command).length > 0) return twice;
  const message = 'missing beside command in keys.from; write the program and its arguments';
  return [...twice, { path: ['keys', 'command'], part: 'value', message }];
}

/** Rules of which the later ones would never count. */
export function samePrefixes(rules: readonly unknown[]): Finding[] {
  const first = new Map<string, number>();
  const findings: Finding[] = [];
  for (const [index, rule] of rules.entries()) {
    const prefix = field(rule, 'prefix');
    if (typeof prefix !== 'string') continue;
    const canonical = withCanonicalHead(prefix);
    const earlier = first.get(canonical);
    if (earlier === undefined) {
      first.set(canonical, index);
      continue;
    }
    const same = canonical === prefix ? 'the prefix' : `the same as ${canonical}, the prefix`;
    const message = `${showValue(prefix)} is ${same} of rules[${earlier}]; keep one of them`;
    findings.push({ path: ['rules', index, 'prefix'], part: 'value', message });
  }
  return findings;
}

function sameRegions(regions: readonly unknown[]): Finding[] {
  return regions.flatMap((region, index) => {
    if (typeof region !== 'string' || regions.indexOf(region) === index) return [];
    const message = `${showValue(region)} is regions[${regions.indexOf(region)}] too; keep one of them`;
    return [{ path: ['regions', index], part: 'value', message }];
  });
}

function sameIssuers(oidc: readonly unknown[]): Finding[] {
  const issuers = oidc.map((one) => field(one, 'issuer'));
  return issuers.flatMap((issuer, index) => {
    const first = issuers.indexOf(issuer);
    if (typeof issuer !== 'string' || first === index) return [];
    const message = `${showValue(issuer)} is the issuer of oidc[${first}]; put the principals of both into one`;
    return [{ path: ['oidc', index, 'issuer'], part: 'value', message }];
  });
}

function field(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return Reflect.get(value, key);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
