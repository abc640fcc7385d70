import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lifecycleProblems, parseLifecyclePolicy } from './parser.ts';
import { lifecycleCharactersMax } from './policy.ts';

const ecr = { expireByPull: false };

type Json = Record<string, unknown>;

const selection: Json = {
  tagStatus: 'untagged',
  countType: 'imageCountMoreThan',
  countNumber: 30,
};
const since: Json = {
  tagStatus: 'untagged',
  countType: 'sinceImagePushed',
  countUnit: 'days',
  countNumber: 14,
};
const tagged: Json = { ...selection, tagStatus: 'tagged', tagPrefixList: ['prod'] };
const archived: Json = {
  tagStatus: 'any',
  storageClass: 'archive',
  countType: 'sinceImageTransitioned',
  countUnit: 'days',
  countNumber: 90,
};
const expire: Json = { type: 'expire' };
const archive: Json = { type: 'transition', targetStorageClass: 'archive' };

function rule(change: Json, priority = 1, action: Json = expire): Json {
  return { rulePriority: priority, selection: change, action };
}

function without(object: Json, key: string): Json {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

const pulled = { ...since, countType: 'sinceImagePulled' };

const accepted: readonly (readonly [name: string, rules: readonly Json[]])[] = [
  ['untagged images beyond a number', [rule(selection)]],
  ['untagged images by age', [rule(since)]],
  ['a rule with a description', [{ ...rule(since), description: 'old ones' }]],
  ['tagged images by prefixes', [rule({ ...tagged, tagPrefixList: ['prod', 'dev'] })]],
  [
    'tagged images by patterns of four wildcards',
    [rule({ ...without(tagged, 'tagPrefixList'), tagPatternList: ['*test*1*2*3', 'test*1*2*3*'] })],
  ],
  ['standard, written out', [rule({ ...since, storageClass: 'standard' })]],
  ['what was not pulled goes to the archive', [rule(pulled, 1, archive)]],
  ['what is long in the archive expires', [rule(archived)]],
  [
    'a rule for any image of each storage class',
    [rule({ ...since, tagStatus: 'any' }, 2), rule(archived)],
  ],
  [
    'one rule for untagged images of each storage class',
    [rule(selection), rule({ ...archived, tagStatus: 'untagged' }, 2)],
  ],
  [
    'one prefix in rules of two storage classes',
    [rule(tagged), rule({ ...archived, tagStatus: 'tagged', tagPrefixList: ['prod'] }, 2)],
  ],
  [
    'priorities that are out of order and have gaps',
    [rule({ ...since, tagStatus: 'any' }, 900), rule(tagged, 7)],
  ],
];

for (const [name, rules] of accepted)
  test(`A policy is taken: ${name}.`, () => {
    assert.deepEqual(lifecycleProblems(JSON.stringify({ rules }), ecr), []);
  });

test('A policy is read by ascending priority, with its defaults.', () => {
  const rules = [rule({ ...since, tagStatus: 'any' }, 9), rule(tagged, 2, archive)];
  assert.deepEqual(parseLifecyclePolicy(JSON.stringify({ rules }), ecr).rules, [
    {
      priority: 2,
      description: undefined,
      tags: { status: 'tagged', kind: 'prefix', entries: ['prod'] },
      storageClass: 'standard',
      countType: 'imageCountMoreThan',
      countNumber: 30,
      action: 'transition',
    },
    {
      priority: 9,
      description: undefined,
      tags: { status: 'any' },
      storageClass: 'standard',
      countType: 'sinceImagePushed',
      countNumber: 14,
      action: 'expire',
    },
  ]);
});

const noForm = 'instance failed to match exactly one schema (matched 0 out of 2)';

/** What is wrong, the text or its rules, the field, and ECR's words. */
const refused: readonly (readonly [
  name: string,
  policy: string | readonly unknown[],
  field: string,
  what: string,
])[] = [
  ['no JSON', 'rules: []', '', 'Could not map policyString into LifecyclePolicy.'],
  ['a text in quotes', '"rules"', '', 'Could not map policyString into LifecyclePolicy.'],
  ['a list', '[]', '', 'Could not map policyString into LifecyclePolicy.'],
  [
    'a key twice',
    '{"rules": [], "rules": []}',
    '',
    'Could not map policyString into LifecyclePolicy.',
  ],
  [
    'deep nesting',
    `{"rules": ${'['.repeat(9)}${']'.repeat(9)}}`,
    '',
    'Could not map policyString into LifecyclePolicy.',
  ],
  [
    'a text that is too long',
    `{"rules": []${' '.repeat(lifecycleCharactersMax)}}`,
    '',
    `Member must have length less than or equal to ${lifecycleCharactersMax}`,
  ],
  ['no rules', '{}', '', 'object has missing required properties (["rules"])'],
  [
    'a key beside the rules',
    '{"rules": [], "version": 1}',
    '',
    'object instance has properties which are not allowed by the schema: (["version"])',
  ],
  [
    'an empty list of rules',
    [],
    'rules',
    'array is too short: must have at least 1 elements but instance has 0 elements',
  ],
  [
    'rules that are no list',
    '{"rules": {}}',
    'rules',
    'instance type (object) does not match any allowed primitive type (allowed: ["array"])',
  ],
  [
    'too many rules',
    Array.from({ length: 51 }, (_, at) => rule({ ...tagged, tagPrefixList: [`p${at}`] }, at + 1)),
    'rules',
    'array is too long: must have at most 50 elements but instance has 51 elements',
  ],
  [
    'a rule that is a text',
    ['expire'],
    'rules[0]',
    'instance type (string) does not match any allowed primitive type (allowed: ["object"])',
  ],
  [
    'a rule without a priority',
    [without(rule(selection), 'rulePriority')],
    'rules[0]',
    'object has missing required properties (["rulePriority"])',
  ],
  [
    'a rule without action and selection',
    [{ rulePriority: 1 }],
    'rules[0]',
    'object has missing required properties (["action", "selection"])',
  ],
  [
    'a key that a rule does not have',
    [{ ...rule(selection), unknown: 123 }],
    'rules[0]',
    'object instance has properties which are not allowed by the schema: (["unknown"])',
  ],
  [
    'priority 0',
    [rule(selection, 0)],
    'rules[0].rulePriority',
    'numeric instance is lower than the required minimum (minimum: 1, found: 0)',
  ],
  [
    'a priority in quotes',
    [{ ...rule(selection), rulePriority: '1' }],
    'rules[0].rulePriority',
    'instance type (string) does not match any allowed primitive type (allowed: ["integer"])',
  ],
  [
    'a description that is null',
    [{ ...rule(selection), description: null }],
    'rules[0].description',
    'instance type (null) does not match any allowed primitive type (allowed: ["string"])',
  ],
  [
    'a priority twice',
    [rule(selection), rule(tagged)],
    'rules[1].rulePriority',
    'rulePriority must be unique across rules; 1 is used more than once.',
  ],
  [
    'an action without a type',
    [rule(selection, 1, {})],
    'rules[0].action',
    'object has missing required properties (["type"])',
  ],
  [
    'an action that is not one',
    [rule(selection, 1, { type: 'keep' })],
    'rules[0].action.type',
    'instance value (keep) not found in enum :(possible values: ["expire", "transition"])',
  ],
  [
    'an expiry with a target',
    [rule(selection, 1, { type: 'expire', targetStorageClass: null })],
    'rules[0].action',
    noForm,
  ],
  [
    'a transition without a target',
    [rule(selection, 1, { type: 'transition' })],
    'rules[0].action',
    noForm,
  ],
  [
    'a transition to what it comes from',
    [rule(selection, 1, { type: 'transition', targetStorageClass: 'standard' })],
    'rules[0].action',
    noForm,
  ],
  [
    'no status of tags',
    [rule(without(selection, 'tagStatus'))],
    'rules[0].selection',
    'object has missing required properties (["tagStatus"])',
  ],
  [
    'a status that is not one',
    [rule({ ...selection, tagStatus: 'all' })],
    'rules[0].selection.tagStatus',
    'instance value (all) not found in enum :(possible values: ["any", "tagged", "untagged"])',
  ],
  [
    'a key that a selection does not have',
    [rule({ ...selection, tagList: ['a'] })],
    'rules[0].selection',
    'object instance has properties which are not allowed by the schema: (["tagList"])',
  ],
  [
    'tagged without a list',
    [rule(without(tagged, 'tagPrefixList'))],
    'rules[0].selection',
    'Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.',
  ],
  [
    'both lists',
    [rule({ ...tagged, tagPatternList: ['*'] })],
    'rules[0].selection',
    'Must not specify both tagPrefixList and tagPatternList.',
  ],
  [
    'a list for untagged images',
    [rule({ ...selection, tagPrefixList: ['a'] })],
    'rules[0].selection',
    'Must not specify tagPrefixList or tagPatternList when tagStatus=UNTAGGED.',
  ],
  [
    'a list for any image, though empty',
    [rule({ ...selection, tagStatus: 'any', tagPatternList: [] })],
    'rules[0].selection',
    'Must not specify tagPrefixList or tagPatternList when tagStatus=ANY.',
  ],
  [
    'an empty list of prefixes',
    [rule({ ...tagged, tagPrefixList: [] })],
    'rules[0].selection.tagPrefixList',
    'array is too short: must have at least 1 elements but instance has 0 elements',
  ],
  [
    'an empty prefix',
    [rule({ ...tagged, tagPrefixList: [''] })],
    'rules[0].selection.tagPrefixList[0]',
    'string is too short (length: 0, required minimum: 1)',
  ],
  [
    'a prefix that is a number',
    [rule({ ...tagged, tagPrefixList: [3] })],
    'rules[0].selection.tagPrefixList[0]',
    'instance type (integer) does not match any allowed primitive type (allowed: ["string"])',
  ],
  [
    'a pattern of five wildcards',
    [rule({ ...without(tagged, 'tagPrefixList'), tagPatternList: ['t*1*2*3*4*5'] })],
    'rules[0].selection.tagPatternList[0]',
    "Tag pattern 't*1*2*3*4*5' has more than 4 wildcards.",
  ],
  [
    'a way to count that is not one',
    [rule({ ...selection, countType: 'unknown' })],
    'rules[0].selection.countType',
    noForm,
  ],
  [
    'a unit where images are counted',
    [rule({ ...selection, countUnit: 'days' })],
    'rules[0].selection',
    noForm,
  ],
  [
    'no unit where days are counted',
    [rule(without(since, 'countUnit'))],
    'rules[0].selection',
    noForm,
  ],
  [
    'a unit that is not one',
    [rule({ ...since, countUnit: 'hours' })],
    'rules[0].selection.countUnit',
    'instance value (hours) not found in enum :(possible values: ["days"])',
  ],
  [
    'none to keep',
    [rule({ ...selection, countNumber: 0 })],
    'rules[0].selection.countNumber',
    'numeric instance is lower than the required minimum (minimum: 1, found: 0)',
  ],
  [
    'half an image',
    [rule({ ...selection, countNumber: 1.5 })],
    'rules[0].selection.countNumber',
    'instance type (number) does not match any allowed primitive type (allowed: ["integer"])',
  ],
  [
    'more than a number holds exactly',
    [rule({ ...selection, countNumber: 2 ** 53 })],
    'rules[0].selection.countNumber',
    `numeric instance is greater than the required maximum (maximum: ${Number.MAX_SAFE_INTEGER}, found: ${2 ** 53})`,
  ],
  [
    'less than 90 days in the archive',
    [rule({ ...archived, countNumber: 89 })],
    'rules[0].selection.countNumber',
    'numeric instance is lower than the required minimum (minimum: 90, found: 89)',
  ],
  [
    'the archive where pushes are counted',
    [rule({ ...since, storageClass: 'archive' })],
    'rules[0].selection',
    'storageClass must be standard when countType is sinceImagePushed.',
  ],
  [
    'no storage class where the time in the archive counts',
    [rule(without(archived, 'storageClass'))],
    'rules[0].selection',
    'storageClass must be archive when countType=SINCE_IMAGE_TRANSITIONED.',
  ],
  [
    'what is archived is archived',
    [rule(archived, 1, archive)],
    'rules[0].action',
    'sinceImageTransitioned is supported with the expire action only.',
  ],
  [
    'what was not pulled expires',
    [rule(pulled)],
    'rules[0].action',
    'sinceImagePulled is supported with the transition action only.',
  ],
  [
    'two rules for untagged images',
    [rule(selection), rule(since, 2)],
    'rules[1].selection',
    'Only one rule can select Untagged images per storage class.',
  ],
  [
    'a rule after the one for any image',
    [rule({ ...since, tagStatus: 'any' }), rule(tagged, 2)],
    'rules[0].rulePriority',
    'Rule for tagStatus=ANY must have the lowest priority per storage class.',
  ],
  [
    'a prefix in two rules',
    [rule(tagged, 2), rule({ ...tagged, tagPrefixList: ['dev', 'prod'] }, 1)],
    'rules[0].selection.tagPrefixList',
    'Tag prefixes must be unique across rules per storage class.',
  ],
];

for (const [name, policy, field, what] of refused)
  test(`A policy is refused: ${name}.`, () => {
    const text = typeof policy === 'string' ? policy : JSON.stringify({ rules: policy });
    const [first] = lifecycleProblems(text, ecr);
    assert.deepEqual({ field: first?.field, what: first?.what }, { field, what });
    assert.ok(first !== undefined && first.fix.length > 0);
    assert.throws(() => parseLifecyclePolicy(text, ecr), {
      code: 'requestInvalid',
      message: new RegExp(
        `^Lifecycle policy validation failure: ${what.replace(/\.$/, '').replaceAll(/[()[\]{}*.]/g, '\\$&')}`,
      ),
    });
  });

test('What was not pulled expires, where that is set.', () => {
  const text = JSON.stringify({ rules: [rule(pulled)] });
  assert.deepEqual(lifecycleProblems(text, { expireByPull: true }), []);
});

for (const [name, text, fix] of [
  [
    'a brace too many',
    '{"rules": []}}',
    /^the text is not JSON \(at character 14, where it should have ended\);/,
  ],
  ['an end too early', '{"rules": [', /^the text is not JSON \(it ends too early\);/],
] as const)
  test(`A text that is no JSON is told by its place: ${name}.`, () => {
    assert.match(lifecycleProblems(text, ecr)[0]?.fix ?? '', fix);
  });

test('All problems of a policy are told, at most twenty.', () => {
  const wrong = rule({ ...selection, countNumber: 0, countUnit: 'days' }, 0, {});
  const two = lifecycleProblems(JSON.stringify({ rules: [wrong] }), ecr);
  assert.equal(two.length, 4);
  const many = lifecycleProblems(
    JSON.stringify({ rules: Array.from({ length: 50 }, () => wrong) }),
    ecr,
  );
  assert.equal(many.length, 20);
});

test('Any JSON is a policy or has problems; neither takes long.', () => {
  const word = fc.constantFrom('rules', 'rulePriority', 'selection', 'action', 'type', 'tagStatus');
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom('expire', 'any', 'days', 1, 0, -1, 1.5, null, true, '*'),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(word, tie('tree'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        tree.map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const problems = lifecycleProblems(text, ecr);
        if (problems.length > 0)
          assert.throws(() => parseLifecyclePolicy(text, ecr), { code: 'requestInvalid' });
        else assert.ok(parseLifecyclePolicy(text, ecr).rules.length > 0);
      },
    ),
    { numRuns: 500 },
  );
});
