import type { Pushes } from '../cache/push/pushes.ts';
import { waitUnder } from '../coordination/waiting.ts';
import { errorText } from '../domain/error-text.ts';
import { parseLifecyclePolicy } from '../domain/lifecycle/parser.ts';
import type { LifecyclePolicy } from '../domain/lifecycle/policy.ts';
import type { GrammarOptions } from '../domain/lifecycle/rule-reader.ts';
import type { Digest } from '../domain/names/digest.ts';
import type { RepositoryKey } from '../domain/names/registry.ts';
import type { Tag } from '../domain/names/tag.ts';
import type {
  DueLifecycle,
  LifecycleQuestion,
  PlannedImage,
} from '../metadata/contract/lifecycle.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { Clock } from '../ports/clock.ts';
import type { Leases } from '../ports/leases.ts';
import { startRecurring } from './recurring-work.ts';
import type { Turn } from './recurring-work.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

const everyMs = 10 * minuteMs;
/** Each policy is evaluated anew after it: what meets a criterion goes within 24 hours, those that wait their turn included. */
const evaluateEveryMs = 20 * hourMs;
/** After an evaluation that failed. */
const retryAfterMs = hourMs;
/** How long results of previews are kept. */
const previewsKeptForMs = 24 * hourMs;
/** Policies that are read at once; one has 30,720 characters at most. */
const duePerRead = 20;

/** An image that a policy took away. */
export interface ExpiredImage extends RepositoryKey {
  readonly digest: Digest;
  readonly tags: readonly Tag[];
  /** Of the rule. */
  readonly priority: number;
}

export interface ExpiryParts {
  readonly metadata: Pick<Metadata, 'lifecycles'>;
  readonly pushes: Pick<Pushes, 'expireManifests'>;
  readonly leases: Leases;
  readonly clock: Clock;
  /** What is configured now. */
  readonly grammar: () => GrammarOptions;
  /** Told of each image after it went. */
  readonly expired: (image: ExpiredImage) => void;
  /** One line for the log. */
  readonly note: (message: string, about: Readonly<Record<string, string | number>>) => void;
  readonly failed: (message: string, about: Readonly<Record<string, string | number>>) => void;
}

/**
 * Evaluates each lifecycle policy about once in 20 hours, and expires what it takes, oldest first, in one process of those that share a
 * database. What is interrupted stays due: the next run evaluates it anew, which chooses nothing that the first did not. Disposing
 * ends it after the images that are on their way.
 */
export function startExpiry(parts: ExpiryParts): AsyncDisposable {
  return startRecurring(parts, {
    name: 'expire images',
    everyMs,
    run: (turn) => runDue(parts, turn),
    failed: (error) => parts.failed('lifecycle policies could not be evaluated', about(error)),
  });
}

async function runDue(parts: ExpiryParts, turn: Turn): Promise<void> {
  const { lifecycles } = parts.metadata;
  await lifecycles.expirePreviews({ before: turn.now() - previewsKeptForMs });
  // Each is put off when it is done, so that the list gets shorter.
  for (;;) {
    const due = await lifecycles.listDueLifecycles(turn.now(), duePerRead);
    for (const one of due) if (!(await evaluate(parts, one, turn))) return;
    if (due.length < duePerRead) return;
  }
}

/** False where it was stopped: it is due still. Throws where the metadata can't be written. */
async function evaluate(
  parts: ExpiryParts,
  { text, ...key }: DueLifecycle,
  turn: Turn,
): Promise<boolean> {
  if (!(await turn.mayGoOn())) return false;
  const began = turn.now();
  const putOff = async (afterMs: number, evaluatedAt: number | undefined): Promise<true> => {
    const next = { text, evaluatedAt, dueAt: began + afterMs };
    await parts.metadata.lifecycles.recordEvaluation({ ...key, ...next });
    return true;
  };
  const { repository, registry } = key;
  const fail = (message: string, error: unknown): void =>
    parts.failed(message, { repository, registry, ...about(error) });
  let policy: LifecyclePolicy;
  try {
    policy = parseLifecyclePolicy(text, parts.grammar());
  } catch (error) {
    // It was right when it was put: a setting is another now.
    fail('a lifecycle policy is not evaluated', error);
    return putOff(evaluateEveryMs, undefined);
  }
  try {
    const images = await expireAll(parts, { ...key, text }, { policy, now: began }, turn);
    if (images === undefined) return false;
    if (images > 0)
      parts.note('a lifecycle policy expired images', { repository, registry, images });
  } catch (error) {
    if (turn.ended.aborted) return false;
    fail('a lifecycle policy could not be carried out', error);
    return putOff(retryAfterMs, undefined);
  }
  return putOff(evaluateEveryMs, began);
}

const decoder = new TextDecoder();

/** How many went; `undefined` where it was stopped. */
async function expireAll(
  { metadata, pushes, expired }: ExpiryParts,
  { text, ...key }: DueLifecycle,
  question: LifecycleQuestion,
  { ended, mayGoOn }: Turn,
): Promise<number | undefined> {
  const { registry, repository } = key;
  const target = { rule: undefined, repository, upstreamRepository: repository };
  const plan = await waitUnder(metadata.lifecycles.planLifecycle(key, question), ended);
  let count = 0;
  for (const batch of plan.batches) {
    if (!(await mayGoOn())) return undefined;
    // Whoever deleted or replaced it wants nothing more of it.
    if ((await metadata.lifecycles.findLifecycle(key))?.text !== text) break;
    const images = JSON.parse(decoder.decode(batch)) as readonly PlannedImage[];
    const gone = new Set(await pushes.expireManifests({ registry, target, images }));
    for (const { digest, tags, priority } of images.filter((each) => gone.has(each.digest)))
      expired({ ...key, digest, tags, priority });
    count += gone.size;
  }
  return count;
}

function about(error: unknown): { readonly error: string } {
  return { error: errorText(error) };
}
