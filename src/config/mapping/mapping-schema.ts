import { z } from 'zod';
import { registryHostProblem } from '../../domain/names/registry-host.ts';
import * as value from '../schema/values.ts';

const rulesMax = 10_000;
const hostsMax = 100;
const namespacesMax = 1000;
/** RFC 1123, as Kubernetes names namespaces. */
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const host = value.parsed(
  'A host, with its port where it is not 443.',
  'not a host that images can begin with; write registry.example.com or registry.example.com:5000, without a scheme or path',
  (text) => registryHostProblem(text) !== 'no host',
);

const rule = z.strictObject(
  {
    prefix: value.rulePrefix("Names that begin with it are the rule's."),
    upstream: value.upstreamUrl('A host, or a URL; http:// for a plain one.'),
    upstreamPrefix: value.upstreamPrefix('Put before names at the upstream.').default(''),
    private: value
      .flag('Whether the upstream is shown a credential: such a rule goes before one like it.')
      .default(false),
  },
  { error: 'not a rule; write a mapping with prefix and upstream' },
);

const namespaces = value.list(
  value.parsed(
    'The name of a namespace.',
    'not the name of a namespace; write lower-case letters, digits and "-", 63 characters at most',
    (text) => label.test(text),
  ),
  'Names of namespaces.',
  namespacesMax,
);

/** A mapping file as it is written, with its defaults. */
export interface WrittenMapping {
  readonly registryHost?: string | undefined;
  readonly rules?: readonly WrittenRule[] | undefined;
  readonly namespaces: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  readonly replaces: readonly string[];
}

export interface WrittenRule {
  readonly prefix: string;
  readonly upstream: string;
  readonly upstreamPrefix: string;
  readonly private: boolean;
}

/** What a mapping file may hold. */
export const mappingSchema: z.ZodType<WrittenMapping> = z.strictObject(
  {
    registryHost: host.optional(),
    rules: value.list(rule, 'Which prefix stands for which upstream.', rulesMax).optional(),
    namespaces: z
      .strictObject(
        { include: namespaces.default([]), exclude: namespaces.default([]) },
        { error: 'not a mapping; write include or exclude below it, each with a list of names' },
      )
      .describe('Where what is generated holds; include empty: in every one.')
      .prefault({}),
    replaces: value
      .list(host, 'Registries whose place this one takes: their paths stay.', hostsMax)
      .default([]),
  },
  {
    error:
      'not a mapping; write registryHost, rules, namespaces or replaces at the beginning of a line',
  },
);

export interface WrittenPullThrough {
  readonly awsAccountId: string;
  readonly awsRegion: string;
  readonly registries: readonly string[];
}

/** What the webhook ecr-pull-through reads, each value as its text. */
export const pullThroughSchema: z.ZodType<WrittenPullThrough> = z.strictObject(
  {
    awsAccountId: value.parsed(
      'The account of the ECR.',
      'not an account; write its 12 digits',
      (text) => /^\d{12}$/.test(text),
    ),
    awsRegion: value.parsed(
      'The region of the ECR.',
      'not a region; write one such as eu-west-2',
      (text) => /^[a-z0-9-]{1,64}$/.test(text),
    ),
    registries: value.list(
      value.parsed(
        'What images begin with.',
        'not a registry; write a host such as quay.io',
        (text) => registryHostProblem(text.split('/', 1)[0] ?? '') !== 'no host',
      ),
      'Registries that are pulled through.',
      hostsMax,
    ),
  },
  { error: 'not a mapping; write awsAccountId, awsRegion and registries below it' },
);
