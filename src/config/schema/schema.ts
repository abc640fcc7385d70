import { z } from 'zod';
import { patternsMax, platformsMax } from '../../domain/rules/rule-settings.ts';
import * as access from './access.ts';
import * as value from './values.ts';
import type { Settings } from '../settings.ts';

const mapping = { error: 'not a mapping; write its keys below it, each indented' };

function certificate(describe: string) {
  return z
    .strictObject(
      {
        certFile: value.path('PEM, the certificate and those between it and the root.').default(''),
        keyFile: value.path('PEM, unencrypted.').default(''),
      },
      mapping,
    )
    .describe(describe);
}

function failureAction(when: string) {
  const error = 'not an action; write keep or stop';
  return z
    .enum(['keep', 'stop'], { error })
    .describe(`When upstream ${when}: keep serves what is held, stop does not.`)
    .default('keep');
}

const onFailure = z
  .strictObject(
    {
      notFound: failureAction('answers 404'),
      denied: failureAction('answers 401 or 403'),
      rateLimited: failureAction('answers 429'),
      serverError: failureAction('answers 5xx'),
      timeout: failureAction('is too slow'),
      network: failureAction('cannot be reached'),
    },
    mapping,
  )
  .describe('What a tag that cannot be checked is worth.');

const rule = z.strictObject(
  {
    prefix: value.rulePrefix(
      "Names here that begin with it are the rule's; ROOT: all that no other rule has.",
    ),
    upstream: value.upstreamUrl('A host, or a URL; http:// for a plain one.'),
    mirrors: value
      .list(value.upstreamUrl('As upstream.'), 'Tried in order after the upstream.', 16)
      .default([]),
    upstreamPrefix: value
      .upstreamPrefix(
        'Put before names at the upstream; the whole name there, where prefix is that of one repository.',
      )
      .default(''),
    credential: value
      .credentialName('The name of a secret in secretsFile, else of one made over the API.')
      .default(''),
    anonymousPull: value
      .flag(
        'Whether anyone may pull what the credential or client certificate fetched. Default: true without either, else false.',
      )
      .optional(),
    freshFor: value
      .duration('How long a tag is served without asking upstream; 0s asks at every pull.', '8760h')
      .default('24h'),
    staleBudget: value
      .duration(
        'How long a pull waits for that check before the last known digest is served.',
        '60s',
      )
      .default('800ms'),
    onFailure: onFailure.prefault({}),
    platforms: z
      .union(
        [z.enum(['none', 'requested', 'all']), z.array(value.platform()).min(1).max(platformsMax)],
        {
          error:
            'not a choice of platforms; write none, requested, all or a list such as [linux/amd64]',
        },
      )
      .describe('What of an image is fetched in the background once a part of it was pulled.')
      .default('requested'),
    push: value
      .flag('Whether clients may push under the prefix; ROOT refuses nothing, whatever this says.')
      .default(false),
    allow: value
      .list(value.namePattern(), 'What may be pulled; empty: all.', patternsMax)
      .default([]),
    deny: value
      .list(value.namePattern(), 'What may not be pulled; wins over allow.', patternsMax)
      .default([]),
    allowHosts: value
      .list(
        value.allowedHost(),
        'Hosts besides its own that get the credential at token requests, and may be private when redirected to.',
        100,
      )
      .default([]),
    caFile: value.path("PEM, trusted for this upstream instead of the system's roots.").default(''),
    clientCert: certificate('Shown to the upstream.').prefault({}),
    maxConnections: value.count('To the upstream at once, for blobs.', 1, 1024).default(16),
  },
  { error: 'not a rule; write a mapping with prefix and upstream' },
);

const cache = z
  .strictObject(
    {
      parallelAbove: value
        .size(
          'Blobs larger than this always come in pieces of pieceSize; smaller ones in pieces that take some round trips each.',
          '0B',
          '1TiB',
        )
        .default('64MiB'),
      pieceSize: value
        .size('The smallest piece that is asked for by itself.', '64KiB', '1GiB')
        .default('8MiB'),
      connectionsPerBlob: value
        .count('How many connections a blob may take; with 1 each comes whole.', 1, 64)
        .default(4),
      minFree: value
        .minFree('Free space that stays free; below it pulls stream through unstored.')
        .default('5%'),
      maxBlobBytes: value
        .size('The largest blob whose size upstream does not say.', '1MiB', '8TiB')
        .default('64GiB'),
    },
    mapping,
  )
  .describe('Downloads and their storage.');

const limits = z
  .strictObject(
    {
      connections: value.count('Clients connected at once.', 1, 1_000_000).default(10_000),
      downloads: value
        .count('Blobs being downloaded at once from one upstream.', 1, 100_000)
        .default(256),
    },
    mapping,
  )
  .describe('Bounds of the whole server.');

const keys = z
  .strictObject(
    {
      from: value
        .list(
          z.enum(['file', 'environment', 'command'], {
            error: 'not a source of keys; write file, environment or command',
          }),
          'Where keys are read: file is dataDir/keys. Those of the first source seal and sign, all open.',
          3,
        )
        .min(1, { error: 'not a source of keys; write one at least' })
        .default(['file']),
      environment: value
        .parsed(
          'The variable that holds keys: base64 of 32 bytes each, the one that seals first.',
          'not the name of a variable; write letters, digits and underscores',
          (text) => /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(text),
        )
        .default('BREAKWATER_KEYS'),
      command: value
        .list(
          z
            .string({ error: 'not a text; write the program and each argument as a text' })
            .max(4096),
          'A program and its arguments, run without a shell, that prints keys as the variable holds them.',
          100,
        )
        .default([]),
      commandTimeout: value.duration('How long the command may take.', '5m').default('10s'),
    },
    mapping,
  )
  .describe('The keys that seal secrets and sign tokens.');

const lifecycle = z
  .strictObject(
    {
      expireByPull: value
        .flag(
          'Whether a policy may expire what was not pulled for some days; ECR lets it archive alone.',
        )
        .default(false),
    },
    mapping,
  )
  .describe('Lifecycle policies.');

const settings = z
  .strictObject(
    {
      listen: value
        .listenAddress('The registry and /api/v1; port 0 takes a free one.', false)
        .default('127.0.0.1:5000'),
      adminListen: value
        .listenAddress('/livez, /readyz, /startupz and /metrics, without authentication.', false)
        .default('127.0.0.1:5001'),
      hubMirrorListen: value
        .listenAddress("Docker Hub at the root, for Docker's registry-mirrors; empty: none.", true)
        .default(''),
      tls: certificate('With both set, the main listener speaks TLS.').prefault({}),
      dataDir: value
        .path('Database, blobs, downloads in progress, credentials.', true)
        .default('./data'),
      publicUrl: value
        .publicUrl("Where clients reach the registry; empty: the request's Host.")
        .default(''),
      registryId: access.accountId('The home account.').default('000000000000'),
      organizationId: access.organizationId().default(''),
      regions: access.regions().default(['us-east-1']),
      anonymousPull: value
        .flag('Whether anyone may pull what no credential fetched and nobody pushed.')
        .default(true),
      anonymousImport: access.anonymousImport().default('loopback'),
      trustedProxies: value
        .list(
          access.proxy,
          'Proxies whose X-Forwarded-For, -Proto and -Host are believed; they must set the first of them.',
          100,
        )
        .default([]),
      defaultRules: value.flag('Whether the well-known registries have rules.').default(true),
      apiUpstreams: z
        .enum(['strict', 'public', 'any'], {
          error: 'not a choice of upstreams; write strict, public or any',
        })
        .describe(
          'Where rules made through an API may lead: strict as at Amazon ECR, public to any public host by https, any wherever a rule of this file may.',
        )
        .default('public'),
      secretsFile: value
        .path('YAML of name: {username, accessToken}; refused if others can read it.')
        .default(''),
      createOnPush: value
        .flag('Whether a push makes the repository that it goes to.')
        .default(true),
      sparseIndexes: value
        .flag('Whether a pushed index may name manifests that are not here.')
        .default(false),
      oidc: value
        .list(access.oidcIssuer, 'Whose JWTs are accepted, and for whom they speak.', 100)
        .default([]),
      drain: value.duration('How long running pulls may finish at the end.', '24h').default('120s'),
      shutdownDelay: value
        .duration('How long new connections are still taken after SIGTERM.', '1h')
        .default('0s'),
      cache: cache.prefault({}),
      lifecycle: lifecycle.prefault({}),
      keys: keys.prefault({}),
      limits: limits.prefault({}),
      rules: value
        .list(rule, 'Which prefix stands for which upstream; over the built-in rules.', 10_000)
        .default([]),
    },
    { error: 'not a mapping; write keys such as listen: 127.0.0.1:5000' },
  )
  .describe('Configuration of Breakwater. Every key is optional.');

/** Checks what was written, refuses unknown keys, fills in the defaults. */
export const settingsSchema: z.ZodType<Settings> = settings;

/** JSON Schema (2020-12) of the file, for editors and `config schema`. */
export function configJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(settings, { io: 'input', target: 'draft-2020-12' }),
    title: 'Breakwater',
  };
}

/** A key that has a value and no keys of its own; `text`: its value is text as it stands, not YAML. */
export interface SettingLeaf {
  readonly path: readonly string[];
  readonly text: boolean;
}

/** Every leaf outside lists, in the schema's order. */
export const settingLeaves: readonly SettingLeaf[] = leavesOf(settings, []);

/** The keys that may stand at a path; empty where none may. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  return keysUnder(settings, path);
}

/** The same of another schema. */
export function keysUnder(whole: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  let schema = whole;
  for (const step of path) {
    const inner = unwrap(schema);
    if (inner instanceof z.ZodArray) schema = inner.element;
    else if (inner instanceof z.ZodObject) schema = inner.shape[String(step)] ?? z.never();
    else return [];
  }
  const inner = unwrap(schema);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

function leavesOf(schema: z.core.$ZodType, path: readonly string[]): SettingLeaf[] {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return [{ path, text: inner instanceof z.ZodString }];
  return Object.entries<z.core.$ZodType>(inner.shape).flatMap(([key, child]) =>
    leavesOf(child, [...path, key]),
  );
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional
  ) {
    inner = inner.unwrap();
  }
  return inner;
}
