// Bytes of every origin behind one server, asked for by every kind of caller over real HTTP, beside upstreams that lie.
import { ruleDefaults } from '../../../src/domain/rules/builtin-rules.ts';
import type { Digest } from '../../../src/domain/names/digest.ts';
import { mediaTypes } from '../../../src/domain/manifests/media-type.ts';
import type { PullRule } from '../../../src/domain/rules/pull-rule.ts';
import type {
  BlobBody,
  BlobLocation,
  Upstream,
  UpstreamTarget,
} from '../../../src/ports/upstream.ts';
import { createCacheRig, randomBytes, readAll, testRule } from './cache-rig.ts';
import { until } from './until.ts';
import type { CacheRig } from './cache-rig.ts';
import type { HttpAnswer, HttpQuestion } from '../clients/http-exchange.ts';
import { ownHost, servePrivately } from './private-front.ts';
import type { CallerName } from './private-front.ts';
import { bytesOf, descriptorOf, imageOf, pushBlob, pushManifest } from './push-rig.ts';
import { emptyJson } from './push-rig.ts';
import { createScriptedUpstream, failure } from '../upstreams/scripted-upstream.ts';
import type { ScriptedUpstream } from '../upstreams/scripted-upstream.ts';
import { digestOf } from '../samples/digest.ts';

export const origins = [
  'pushed',
  'credential',
  'public',
  'other rule',
  'removed rule',
  'removed rule with a credential',
  'rule led elsewhere',
  'rule led to a liar',
  'rule without its credential',
  'stopped',
] as const;
export type Origin = (typeof origins)[number];

/** Bytes that came in one way, the manifest that names them and what refers to it. */
export interface Treasure {
  readonly origin: Origin;
  readonly repository: string;
  /** Of the rule, where there is one: for `ns`, and the path form. */
  readonly host: string | undefined;
  readonly prefix: string | undefined;
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly manifest: Digest;
  readonly manifestBytes: Uint8Array;
  readonly referrer: Digest;
  readonly tag: string;
}

export interface PrivateScene extends AsyncDisposable {
  readonly treasures: readonly Treasure[];
  /** Repositories that hold none of them, though their manifests name all: of a liar, and beside those that hold them. */
  readonly strangers: readonly string[];
  ask(caller: CallerName, path: string, question?: HttpQuestion): Promise<HttpAnswer>;
  readonly failures: unknown[];
}

const prefixes: Record<Origin, string> = {
  pushed: 'team',
  credential: 'cred',
  public: 'docker.io',
  'other rule': 'other',
  'removed rule': 'gone',
  'removed rule with a credential': 'gonecred',
  'rule led elsewhere': 'led',
  'rule led to a liar': 'liarled',
  'rule without its credential': 'bared',
  stopped: 'stop',
};
/** What the liar says that every blob has. */
export const liarsBytes = 4242;
export const liar = 'evil/x';

function ruleTo(prefix: string, host: string, change: Partial<PullRule> = {}): PullRule {
  const urls = [{ origin: `https://${host}`, host, plain: false }] as const;
  return testRule({ prefix, urls, upstreamHost: host, ...change });
}

const credentialed: Partial<PullRule> = {
  credential: { name: 'c', username: 'u', accessToken: 't' },
  anonymousPull: false,
};

/** What a manifest names is asked for once it has gone out: so it is for those that name what is not theirs. */
const completed: Partial<PullRule> = { platforms: 'all' };

function rulesOf(phase: 'before' | 'after'): PullRule[] {
  const later = phase === 'after';
  const stop = { onFailure: { ...ruleDefaults.onFailure, denied: 'stop' } } as const;
  const removed = later
    ? []
    : [ruleTo('gone', 'gone.test'), ruleTo('gonecred', 'gonecred.test', credentialed)];
  return [
    ruleTo('docker.io', 'docker.io', completed),
    ruleTo('cred', 'cred.test', { ...credentialed, ...completed }),
    ruleTo('other', 'other.test', completed),
    ruleTo('led', later ? 'honest.test' : 'led.test'),
    ruleTo('liarled', later ? 'evil.test' : 'liarled.test'),
    ruleTo('bared', 'bared.test', later ? {} : credentialed),
    ruleTo('stop', 'stop.test', stop),
    ruleTo('evil', 'evil.test'),
    ...removed,
  ];
}

export async function setPrivateScene(): Promise<PrivateScene> {
  const hosts = new Map<string, ScriptedUpstream>();
  const hostOf = (host: string): ScriptedUpstream => {
    const known = hosts.get(host) ?? createScriptedUpstream();
    hosts.set(host, known);
    return known;
  };
  makeLiar(hostOf('evil.test'));
  const upstream = dispatching(hostOf) as ScriptedUpstream;
  const rig = await createCacheRig({
    rules: rulesOf('before'),
    upstream,
    ownHosts: [ownHost],
  });
  const treasures: Treasure[] = [];
  for (const [at, origin] of origins.entries())
    treasures.push(await bring(rig, hostOf, origin, 7001 + 97 * at));
  const strangers = await nameFromElsewhere(rig, hostOf, treasures);

  const stopped = treasures.find(({ origin }) => origin === 'stopped');
  const refuse = (kind: 'denied' | 'notFound', status: number) => () => {
    throw failure(kind, status);
  };
  hostOf('bared.test').before = refuse('denied', 401);
  hostOf('stop.test').before = refuse('denied', 403);
  rig.clock.advance(25 * 3_600_000);
  await rig.manifest('stop/pub/app', stopped?.tag ?? '').catch(() => {});
  rig.setRules(rulesOf('after'));
  const held = Object.values(prefixes).map((prefix) => `${prefix}/pub/app`);
  const served = await servePrivately(rig, rulesOf('after'), held);
  // Downloads that a liar leaves hanging pause between their attempts.
  const turning = setInterval(() => rig.clock.advance(50), 2);
  return {
    ...served,
    treasures,
    strangers,
    [Symbol.asyncDispose]: async () => {
      await served.close();
      await rig[Symbol.asyncDispose]();
      clearInterval(turning);
    },
  };
}

/** An image with the bytes as its layer, and an artifact that refers to it: pushed, or pulled through the origin's rule. */
async function bring(
  rig: CacheRig,
  hostOf: (host: string) => ScriptedUpstream,
  origin: Origin,
  size: number,
): Promise<Treasure> {
  const prefix = prefixes[origin];
  const repository = `${prefix}/pub/app`;
  const bytes = randomBytes(size, size);
  // Not the byte that the liar gives.
  bytes[0] = 0x11;
  const tag = `secret-${size}`;
  const image = imageOf(bytes, { annotations: { size: String(size) } });
  const manifestBytes = bytesOf(image);
  const subject = descriptorOf(manifestBytes, mediaTypes.ociManifest);
  const artifact = imageOf(emptyJson, { subject, artifactType: 'application/vnd.secret' });
  const found = {
    origin,
    repository,
    bytes,
    digest: digestOf(bytes),
    manifest: subject.digest,
    manifestBytes,
    referrer: digestOf(bytesOf(artifact)),
    tag,
  };
  if (origin === 'pushed') {
    await pushBlob(rig, repository, emptyJson);
    await pushBlob(rig, repository, bytes);
    await pushManifest(rig, repository, tag, image);
    await pushManifest(rig, repository, found.referrer, artifact);
    return { ...found, host: undefined, prefix: undefined };
  }
  const host = prefix.includes('.') ? prefix : `${prefix}.test`;
  const upstream = hostOf(host);
  upstream.putBlob('pub/app', bytes);
  upstream.putBlob('pub/app', emptyJson);
  upstream.putManifest('pub/app', manifestBytes, mediaTypes.ociManifest, tag);
  upstream.putManifest('pub/app', artifact, mediaTypes.ociManifest);
  await rig.manifest(repository, tag);
  await rig.manifest(repository, found.referrer);
  for (const digest of [found.digest, digestOf(emptyJson)])
    await readAll((await rig.blob(repository, digest)).source);
  await until(() => rig.cache.downloads.count === 0);
  // Nothing stands for the host of a rule that is removed.
  if (origin.startsWith('removed')) return { ...found, host: undefined, prefix: undefined };
  return { ...found, host, prefix };
}

/** Manifests that name all of it, as layers and as layers that live elsewhere, where none of it is. */
async function nameFromElsewhere(
  rig: CacheRig,
  hostOf: (host: string) => ScriptedUpstream,
  treasures: readonly Treasure[],
): Promise<readonly string[]> {
  const places = [
    { repository: liar, host: 'evil.test', path: 'x' },
    { repository: 'cred/bob', host: 'cred.test', path: 'bob' },
    { repository: 'docker.io/pub/bob', host: 'docker.io', path: 'pub/bob' },
    { repository: 'other/bob', host: 'other.test', path: 'bob' },
  ];
  for (const { repository, host, path } of places) {
    const size = repository === liar ? { size: liarsBytes } : {};
    const layers = treasures.map(({ bytes }) => ({ ...descriptorOf(bytes), ...size }));
    const foreign = layers.map((layer) => ({ ...layer, urls: ['https://elsewhere.test/x'] }));
    for (const [tag, named] of Object.entries({ layers, foreign })) {
      const manifest = imageOf(emptyJson, { layers: named });
      hostOf(host).putManifest(path, manifest, mediaTypes.ociManifest, tag);
      await rig.manifest(repository, tag);
    }
  }
  await rig.cache.completion.idle();
  return places.map(({ repository }) => repository);
}

/** Says of every blob that it has it, and gives one byte of none. */
function makeLiar(upstream: ScriptedUpstream): void {
  upstream.headBlob = async () => ({ size: liarsBytes });
  upstream.openBlob = async (_target, _digest, { range }): Promise<BlobBody> => ({
    start: 0,
    partial: range !== undefined,
    total: liarsBytes,
    ranges: true,
    answeredAfterMs: 0,
    location: {} as BlobLocation,
    chunks: oneByte(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

async function* oneByte(): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(0xee);
  throw failure('network');
}

function dispatching(hostOf: (host: string) => ScriptedUpstream): Upstream {
  const at = ({ url }: UpstreamTarget): ScriptedUpstream => hostOf(url.host);
  return {
    headManifest: (target, ...rest) => at(target).headManifest(target, ...rest),
    getManifest: (target, ...rest) => at(target).getManifest(target, ...rest),
    headBlob: (target, ...rest) => at(target).headBlob(target, ...rest),
    openBlob: (target, ...rest) => at(target).openBlob(target, ...rest),
    listTags: (target, ...rest) => at(target).listTags(target, ...rest),
    listReferrers: (target, ...rest) => at(target).listReferrers(target, ...rest),
    ping: (rule, url, signal) => hostOf(url.host).ping(rule, url, signal),
    offerPlaces: (target, taker) => hostOf(target.url.host).offerPlaces(target, taker),
    reconsider: (host) => hostOf(host).reconsider(host),
    state: () => undefined,
    reset: () => {},
  };
}
