import { LRUCache } from 'lru-cache';
import type { NamedPolicy, PolicyDocument, PolicyKind } from '../../domain/policy/policy.ts';
import { parsePolicy } from '../../domain/policy/parser.ts';
import type { RegistrySettings } from '../../domain/names/registry.ts';
import { isSteady } from './context.ts';
import { inRegions } from './policy-regions.ts';

/** What was read of one place, parsed. The same object as long as it is believed. */
export interface PolicyRows {
  /** Tells it apart from what is read later, so that a decision need not keep it. */
  readonly number: number;
  readonly policies: readonly NamedPolicy[];
  /** No condition looks at what changes from one request of a caller to the next. */
  readonly steady: boolean;
  /** Total characters of the texts. Parsed, a policy takes about 20 bytes per character. */
  readonly characters: number;
}

export const noPolicies: PolicyRows = { number: 0, policies: [], steady: true, characters: 0 };

export interface PolicyText {
  readonly name: string;
  readonly text: string;
}

/** Parses policies; those of the same text share what is parsed. */
export interface PolicyDocuments {
  read(kind: PolicyKind, texts: readonly PolicyText[]): PolicyRows;
}

/** Many repositories have the same policy, and a listing meets each. */
const charactersMax = 1024 * 1024;

/** `regions`: as they are configured now. */
export function createPolicyDocuments(regions: () => RegistrySettings['regions']): PolicyDocuments {
  const parsed = new LRUCache<string, PolicyDocument>({
    maxSize: charactersMax,
    sizeCalculation: (_document, key) => key.length,
  });
  let parsedIn: RegistrySettings['regions'] = [];
  let last = 0;

  const documentOf = (kind: PolicyKind, text: string): PolicyDocument => {
    if (parsedIn !== regions()) {
      parsedIn = regions();
      parsed.clear();
    }
    const key = `${kind} ${text}`;
    const known = parsed.get(key);
    if (known !== undefined) return known;
    const document = inRegions(parsePolicy(text, kind), parsedIn);
    parsed.set(key, document);
    return document;
  };
  /** A stored policy that can't be read any more denies everything: its denials are not known. */
  const named = (kind: PolicyKind, { name, text }: PolicyText): NamedPolicy => {
    try {
      return { name, document: documentOf(kind, text) };
    } catch {
      return { name: `${name} (unreadable)`, document: denyAll(kind) };
    }
  };
  return {
    read(kind, texts) {
      if (texts.length === 0) return noPolicies;
      const policies = texts.map((each) => named(kind, each));
      return {
        number: (last += 1),
        policies,
        steady: policies.every(({ document }) => isSteady(document)),
        characters: texts.reduce((sum, { text }) => sum + text.length, 0),
      };
    },
  };
}

function denyAll(kind: PolicyKind): PolicyDocument {
  return {
    kind,
    id: undefined,
    statements: [
      {
        sid: undefined,
        effect: 'Deny',
        principals:
          kind === 'identity'
            ? undefined
            : { everyone: true, accounts: [], arns: [], services: [], federated: [] },
        notPrincipals: undefined,
        actions: ['*'],
        notActions: undefined,
        resources: ['*'],
        notResources: undefined,
        conditions: [],
      },
    ],
  };
}
