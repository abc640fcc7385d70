import { LRUCache } from 'lru-cache';
import { authenticate } from '../../access/basic.ts';
import type { Who } from '../../access/basic.ts';
import type { Credentials } from '../../access/credentials.ts';
import { mayPull } from '../../access/pull-access.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { PullTarget } from '../../domain/pull-rule.ts';
import { homeRegistry } from '../../domain/registry.ts';
import type { RuleSet } from '../../domain/rule-set.ts';
import type { Incoming } from '../../http/reply.ts';
import type { Metadata, StoredRepository } from '../../metadata/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Listener } from './target.ts';

/** Who is asking, and whether a pull is theirs: asked before the cache, which knows nothing of it. */
export interface Gate {
  /** Throws `unauthorized` for credentials that are wrong. On a mirror request and on the Hub listener they are nobody's. */
  identify(request: Incoming, isMirror: boolean): Who;
  /** Settles when the pull may go on; throws `unauthorized`, on the Hub listener `nameUnknown`. `undefined`: it may, without waiting. */
  admit(target: PullTarget, who: Who): Promise<void> | undefined;
}

export interface GateOptions {
  readonly listener: Listener;
  readonly rules: () => RuleSet;
  readonly credentials: Credentials;
  readonly metadata: Pick<Metadata, 'findRepository'>;
  readonly clock: Clock;
}

/** How long a repository's row is believed. Forgotten with the rules: while one rule makes content private, that rule alone refuses. */
const believedMs = 2000;
const repositoriesMax = 10_000;

interface Known {
  readonly repository: StoredRepository | undefined;
  readonly untilMs: number;
}

export function createGate(options: GateOptions): Gate {
  const { listener, rules, credentials, metadata, clock } = options;
  let believedUnder: RuleSet | undefined;
  const known = new LRUCache<string, Known>({ max: repositoriesMax });

  const requireAccess = (
    target: PullTarget,
    repository: StoredRepository | undefined,
    who: Who,
  ): void => {
    if (mayPull({ rule: target.rule, repository, who })) return;
    if (listener === 'hub') throw new RegistryError('nameUnknown', 'repository unknown');
    throw new RegistryError(
      'unauthorized',
      'a credential fetched this: the key of dataDir/credentials is needed',
      {
        detail: { repository: target.repository },
      },
    );
  };

  const lookUp = async (target: PullTarget, who: Who): Promise<void> => {
    const { repository } = target;
    const row = await metadata.findRepository({ registry: homeRegistry, repository });
    known.set(repository, { repository: row, untilMs: clock.elapsed() + believedMs });
    requireAccess(target, row, who);
  };

  return {
    identify: (request, isMirror) => {
      const header = request.headers.authorization;
      return header === undefined || listener === 'hub'
        ? 'anonymous'
        : authenticate(header, credentials, { mirror: isMirror });
    },
    admit: (target, who) => {
      if (who === 'administrator') return undefined;
      if (believedUnder !== rules()) {
        known.clear();
        believedUnder = rules();
      }
      const kept = known.get(target.repository);
      if (kept === undefined || kept.untilMs <= clock.elapsed()) return lookUp(target, who);
      requireAccess(target, kept.repository, who);
      return undefined;
    },
  };
}
