// What most real tests stand on: a registry with the corpus, a front before it, and a Breakwater whose rules lead there.
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { rulesOnly, startBreakwater } from './breakwater.ts';
import type { Breakwater, BreakwaterOptions } from './breakwater.ts';
import type { Behaviour } from '../upstreams/front-behaviour.ts';
import { startFront } from '../upstreams/front.ts';
import type { Front } from '../upstreams/front.ts';
import { loadCorpus } from '../samples/images.ts';
import type { Corpus, CorpusImage, CorpusName } from '../samples/images.ts';
import { findRegistry, startRegistry } from '../upstreams/registry.ts';
import type { Registry, RegistryKind } from '../upstreams/registry.ts';

export interface Scene {
  readonly corpus: Corpus;
  readonly registry: Registry;
  readonly front: Front;
  readonly breakwater: Breakwater;
  image(name: CorpusName): CorpusImage;
  /** The exact bytes of a blob or manifest of the corpus. */
  bytesOf(digest: string): Buffer;
}

export interface SceneOptions extends Omit<BreakwaterOptions, 'config'> {
  readonly behaviour?: Partial<Behaviour>;
  readonly registryKind?: RegistryKind;
  /** Keys of the one rule, `docker.io` leading to the front. */
  readonly rule?: Readonly<Record<string, unknown>>;
  /** Instead of that rule: the whole configuration, listeners and dataDir apart. */
  readonly config?: (
    front: Front,
    registry: Registry,
  ) => Record<string, unknown> | Promise<Record<string, unknown>>;
  /** Other keys beside the one rule. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Sets the scene and cleans up after the test; nothing, and a skip said aloud, where it can't be had. */
export async function setScene(
  t: TestContext,
  options: SceneOptions = {},
): Promise<Scene | undefined> {
  const corpus = await loadCorpus();
  const program = await findRegistry(options.registryKind);
  for (const each of [corpus, program]) {
    if ('missing' in each) {
      t.skip(each.missing);
      return undefined;
    }
  }
  const found = corpus as Corpus;
  const registry = await startRegistry({
    content: found.registryRoot,
    ...(options.registryKind === undefined ? {} : { kind: options.registryKind }),
  });
  t.after(() => registry.stop());
  const front = await startFront({
    registry: registry.url,
    ...(options.behaviour === undefined ? {} : { behaviour: options.behaviour }),
  });
  t.after(() => front.close());
  const rule = { prefix: 'docker.io', upstream: front.url, ...options.rule };
  const config = (await options.config?.(front, registry)) ?? {
    ...rulesOnly(rule),
    ...options.settings,
  };
  const breakwater = await startBreakwater({ ...options, config });
  t.after(() => breakwater.close());
  return {
    corpus: found,
    registry,
    front,
    breakwater,
    image: (name) => found.images[name],
    bytesOf: (digest) => readFileSync(found.blobFile(digest)),
  };
}
