import type { Asker } from '../access/access.ts';
import type { Place } from '../access/admission/admission.ts';
import type { Listing } from '../contract/admin-view.ts';
import type {
  LifecycleCheckView,
  LifecycleExplanationView,
  LifecyclePolicyView,
  LifecyclePreviewView,
  LifecycleResultView,
} from '../contract/lifecycle-view.ts';
import { RegistryError, repositoryUnknown } from '../domain/errors.ts';
import type { Fate } from '../domain/lifecycle/evaluator.ts';
import { fateWords } from '../domain/lifecycle/fate-words.ts';
import type { LifecycleImage } from '../domain/lifecycle/image.ts';
import { lifecycleRemarks, meaningOf } from '../domain/lifecycle/meaning.ts';
import { lifecycleProblems, parseLifecyclePolicy } from '../domain/lifecycle/parser.ts';
import { lifecycleActsAfterMs } from '../domain/lifecycle/policy.ts';
import type { GrammarOptions } from '../domain/lifecycle/rule-reader.ts';
import type { Digest } from '../domain/names/digest.ts';
import type { Reference } from '../domain/names/reference.ts';
import type { RepositoryKey } from '../domain/names/registry.ts';
import { registryOf } from '../domain/names/registry.ts';
import type { Action } from '../domain/policy/access-action.ts';
import { actions } from '../domain/policy/access-action.ts';
import type {
  ExplainedImage,
  PreviewPosition,
  PreviewResult,
} from '../metadata/contract/lifecycle.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import { createPreviewJobs } from './lifecycle-previews.ts';
import type { PreviewJobs } from './lifecycle-previews.ts';
import { isoTime, isoTimeOrNull, pageOf, readCursor } from './page.ts';
import type { PageInput } from './page.ts';
import type { Places, RepositoryInput } from './places.ts';
import { changeRepository } from './repository-change.ts';
import type { ChangeParts } from './repository-change.ts';

interface TextInput {
  readonly policy: string;
}

interface PreviewInput extends RepositoryInput, PageInput {
  readonly tagStatus?: 'tagged' | 'untagged' | 'any' | undefined;
  /** These alone, all in one page; at most 100. */
  readonly images?: readonly Reference[] | undefined;
}

interface ExplainInput extends RepositoryInput, PageInput {
  /** Absent: the repository's. */
  readonly policy?: string | undefined;
  /** These alone. */
  readonly images?: readonly Reference[] | undefined;
}

/**
 * Lifecycle policies of repositories; texts go in and come out verbatim. What looks at all images of a repository runs in a thread of
 * its own. Each throws `RegistryError`.
 */
export interface LifecycleOperations {
  /** What a text means, or everything that is wrong with it; anybody may ask. */
  check(input: TextInput): LifecycleCheckView;
  get(asker: Asker, input: RepositoryInput): Promise<LifecyclePolicyView>;
  put(asker: Asker, input: RepositoryInput & TextInput): Promise<LifecyclePolicyView>;
  /** What it was. */
  delete(asker: Asker, input: RepositoryInput): Promise<LifecyclePolicyView>;
  /** Of the text, else of the repository's policy. Answers once it has begun; `conflict` while one is under way. */
  startPreview(
    asker: Asker,
    input: RepositoryInput & { readonly policy?: string | undefined },
  ): Promise<LifecyclePreviewView>;
  preview(asker: Asker, input: PreviewInput): Promise<LifecyclePreviewView>;
  /** The youngest first. */
  explain(asker: Asker, input: ExplainInput): Promise<Listing<LifecycleExplanationView>>;
}

export interface LifecyclesParts extends ChangeParts {
  readonly places: Places;
  readonly metadata: Pick<Metadata, 'repositories' | 'tags' | 'lifecycles'>;
  /** What is configured now. */
  readonly lifecycleGrammar: () => GrammarOptions;
}

export function createLifecycleOperations(parts: LifecyclesParts): LifecycleOperations {
  const jobs = createPreviewJobs(parts);
  return {
    check: ({ policy }) => check(policy, parts.lifecycleGrammar()),
    ...policyOperations(parts),
    ...previewOperations(parts, jobs),
    explain: (asker, input) => explain(parts, asker, input),
  };
}

function check(text: string, grammar: GrammarOptions): LifecycleCheckView {
  const problems = lifecycleProblems(text, grammar);
  if (problems.length > 0) return { valid: false, problems, rules: [] };
  const policy = parseLifecyclePolicy(text, grammar);
  const remarks = lifecycleRemarks(policy);
  const rules = policy.rules.map((rule) => ({
    priority: rule.priority,
    description: rule.description ?? null,
    meaning: meaningOf(rule),
    warnings: remarks.filter(({ priority }) => priority === rule.priority).map((each) => each.text),
  }));
  return { valid: true, problems: [], rules };
}

function policyOperations(
  parts: LifecyclesParts,
): Pick<LifecycleOperations, 'get' | 'put' | 'delete'> {
  const { places, metadata, clock } = parts;
  return {
    get: async (asker, input) => {
      const place = places.place(input, asker);
      const key = await readable(parts, asker, place, actions.getLifecyclePolicy);
      return viewPolicy(key, (await metadata.lifecycles.findLifecycle(key)) ?? noPolicy(key));
    },
    put: async (asker, { policy: text, ...input }) => {
      const place = places.place(input, asker);
      const key = keyOf(place);
      const action = actions.putLifecyclePolicy;
      await changeRepository(parts, asker, place, {
        right: [action],
        action,
        apply: async () => {
          parseLifecyclePolicy(text, parts.lifecycleGrammar());
          const now = clock.now();
          const put = { ...key, text, now, dueAt: now + lifecycleActsAfterMs };
          if (!(await metadata.lifecycles.putLifecycle(put)))
            throw repositoryUnknown(key.repository);
        },
        audited: () => ({ detail: {} }),
      });
      return viewPolicy(key, { text, evaluatedAt: undefined });
    },
    delete: async (asker, input) => {
      const place = places.place(input, asker);
      const key = keyOf(place);
      const action = actions.deleteLifecyclePolicy;
      const deleted = await changeRepository(parts, asker, place, {
        right: [action],
        action,
        apply: async () => {
          const found = await metadata.lifecycles.deleteLifecycle(key);
          if (found !== undefined) return found;
          await requireRepository(parts, key);
          return noPolicy(key);
        },
        audited: () => ({ detail: {} }),
      });
      return viewPolicy(key, deleted);
    },
  };
}

function previewOperations(
  parts: LifecyclesParts,
  jobs: PreviewJobs,
): Pick<LifecycleOperations, 'startPreview' | 'preview'> {
  const { places, metadata } = parts;
  return {
    startPreview: async (asker, { policy: given, ...input }) => {
      const place = places.place(input, asker);
      const key = await readable(parts, asker, place, actions.startLifecyclePolicyPreview);
      const text = given ?? (await storedText(parts, key));
      await jobs.begin(key, text, parseLifecyclePolicy(text, parts.lifecycleGrammar()));
      return { ...(await viewPreview(jobs, key)), items: [], next: null };
    },
    preview: async (asker, { tagStatus, images, limit, cursor, ...input }) => {
      const place = places.place(input, asker);
      const key = await readable(parts, asker, place, actions.getLifecyclePolicyPreview);
      const view = await viewPreview(jobs, key);
      if (view.status !== 'complete') return { ...view, items: [], next: null };
      const untagged =
        tagStatus === undefined || tagStatus === 'any' ? undefined : tagStatus === 'untagged';
      if (images !== undefined) {
        const digests = await digestsOf(metadata, key, images);
        const found = await metadata.lifecycles.findPreviewResults(key, digests);
        const shown = found.filter(
          ({ tags }) => untagged === undefined || (tags.length === 0) === untagged,
        );
        return { ...view, items: shown.map(viewResult), next: null };
      }
      const after = readPosition(cursor);
      const from = { after, untagged };
      const rows = await metadata.lifecycles.listPreviewResults(key, from, limit + 1);
      return { ...view, ...pageOf(rows, limit, { view: viewResult, keyOf: positionOf }) };
    },
  };
}

async function explain(
  parts: LifecyclesParts,
  asker: Asker,
  { policy: given, images, limit, cursor, ...input }: ExplainInput,
): Promise<Listing<LifecycleExplanationView>> {
  const { places, metadata, clock } = parts;
  const place = places.place(input, asker);
  const key = await readable(parts, asker, place, actions.getLifecyclePolicyPreview);
  const text = given ?? (await storedText(parts, key));
  const policy = parseLifecyclePolicy(text, parts.lifecycleGrammar());
  const [after, askedAt] = readCursor(cursor, 2) ?? [];
  // The pages of one list are of one moment.
  const now = /^\d{1,15}$/.test(askedAt ?? '') ? Number(askedAt) : clock.now();
  const digests = images && (await digestsOf(metadata, key, images));
  const page = { after: after as Digest | undefined, digests, limit: limit + 1 };
  const rows = await metadata.lifecycles.explainImages(key, { policy, now }, page);
  return pageOf(rows, limit, {
    view: viewExplained,
    keyOf: ({ image }) => [image.digest, String(now)],
  });
}

/** The right first: whether the repository is there is not for everybody. */
async function readable(
  parts: LifecyclesParts,
  asker: Asker,
  place: Place,
  action: Action,
): Promise<RepositoryKey> {
  await parts.admission.require(asker, place, [action]);
  const key = keyOf(place);
  await requireRepository(parts, key);
  return key;
}

async function requireRepository(
  { metadata }: Pick<LifecyclesParts, 'metadata'>,
  key: RepositoryKey,
): Promise<void> {
  if ((await metadata.repositories.findRepository(key)) === undefined)
    throw repositoryUnknown(key.repository);
}

async function storedText({ metadata }: LifecyclesParts, key: RepositoryKey): Promise<string> {
  return ((await metadata.lifecycles.findLifecycle(key)) ?? noPolicy(key)).text;
}

/** Of tags, the images that they name now; what is not there is left out. */
async function digestsOf(
  metadata: Pick<Metadata, 'tags'>,
  key: RepositoryKey,
  images: readonly Reference[],
): Promise<readonly Digest[]> {
  const found = await Promise.all(
    images.map(async (image) =>
      image.kind === 'digest'
        ? image.digest
        : (await metadata.tags.findTag(key, image.tag))?.digest,
    ),
  );
  return found.filter((digest) => digest !== undefined);
}

function keyOf({ registry, target: { repository } }: Place): RepositoryKey {
  return { registry, repository };
}

function noPolicy({ registry, repository }: RepositoryKey): never {
  const { account } = registryOf(registry);
  throw new RegistryError(
    'nameUnknown',
    `Lifecycle policy does not exist for the repository with name '${repository}' in the registry with id '${account}'`,
    { kind: 'lifecyclePolicyUnknown', detail: { name: repository } },
  );
}

function viewPolicy(
  { registry, repository }: RepositoryKey,
  { text, evaluatedAt }: { readonly text: string; readonly evaluatedAt: number | undefined },
): LifecyclePolicyView {
  const { account } = registryOf(registry);
  return { account, repository, policy: text, lastEvaluatedAt: isoTimeOrNull(evaluatedAt) };
}

async function viewPreview(
  jobs: PreviewJobs,
  key: RepositoryKey,
): Promise<Omit<LifecyclePreviewView, 'items' | 'next'>> {
  const { account } = registryOf(key.registry);
  const { repository } = key;
  const found = await jobs.find(key);
  if (found === undefined) {
    const message = `There is no dry run for this repository: ${repository} in the registry with id '${account}'`;
    throw new RegistryError('nameUnknown', message, {
      kind: 'lifecyclePreviewUnknown',
      detail: { name: repository },
    });
  }
  const { status, text, startedAt, expiring, transitioning } = found;
  const counts = { expiring, transitioning };
  return { account, repository, policy: text, status, startedAt: isoTime(startedAt), ...counts };
}

function viewResult({ pushedAt, ...result }: PreviewResult): LifecycleResultView {
  return { ...result, pushedAt: isoTime(pushedAt) };
}

function positionOf({ digest, tags }: PreviewResult): readonly string[] {
  return [digest, tags.length === 0 ? 'untagged' : 'tagged'];
}

function readPosition(cursor: string | undefined): PreviewPosition | undefined {
  const [digest, half] = readCursor(cursor, 2) ?? [];
  return digest === undefined
    ? undefined
    : { digest: digest as Digest, untagged: half === 'untagged' };
}

function viewExplained({ image, fate }: ExplainedImage): LifecycleExplanationView {
  return {
    digest: image.digest,
    tags: image.tags,
    pushedAt: isoTime(image.pushedAt),
    fate: fate.kind === 'actedOn' ? fate.rule.action : 'keep',
    priority: decidingRule(fate),
    because: fateWords(fate),
  };
}

function decidingRule(fate: Fate<LifecycleImage>): number | null {
  return fate.kind === 'noRule' || fate.kind === 'withSubject' ? null : fate.rule.priority;
}
