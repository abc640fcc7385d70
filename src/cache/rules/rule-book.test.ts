import { deepEqual, equal, notEqual, rejects } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { accountInSecret } from '../../config/account-in-secret.ts';
import { registryKey } from '../../domain/names/registry.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { ApiUpstreams } from '../../domain/rules/api-rule.ts';
import { builtinRules } from '../../domain/rules/builtin-rules.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import { ruleIdentity, ruleMemoryKey } from '../../domain/rules/rule-identity.ts';
import type { PullRuleRow } from '../../metadata/contract/rows.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import { openSqliteMetadata } from '../../metadata/engine/sqlite.ts';
import type { Invalidations } from '../../ports/invalidations.ts';
import type { FoundSecret } from '../../ports/secret-values.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { createTestInvalidations } from '../../../tests/support/rigs/invalidations.ts';
import { testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import type { RuleBook } from './rule-book.ts';
import { openRuleBook } from './rule-book.ts';

const allMax = 10_000;
const other = registryKey({ account: '111122223333', region: 'eu-west-2' });
const arn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub';

function row(prefix: string, change: Partial<PullRuleRow> = {}): PullRuleRow {
  return {
    registry: homeRegistry,
    prefix,
    id: `R-${prefix}-${change.registry ?? ''}`,
    givenPrefix: prefix,
    upstreamUrl: 'quay.io',
    upstreamRegistry: undefined,
    upstreamPrefix: undefined,
    credentialArn: undefined,
    roleArn: undefined,
    settings: {},
    holder: undefined,
    createdAt: 1,
    updatedAt: 1,
    ...change,
  };
}

interface Rig extends AsyncDisposable {
  readonly metadata: Metadata;
  readonly invalidations: Invalidations;
  readonly clock: ReturnType<typeof createFakeClock>;
  readonly failures: unknown[];
  readonly counts: { changes: number };
  /** What the next readings find. */
  configured: readonly PullRule[];
  upstreams: ApiUpstreams;
  secret: FoundSecret | Error;
  /** Reads of rules that fail before one succeeds. */
  failing: number;
  open(): Promise<RuleBook>;
  /** Writes a rule and notes it, as whoever changes one does. */
  make(rule: PullRuleRow): Promise<void>;
}

async function createRig(): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'breakwater-rules-'));
  const metadata = await openSqliteMetadata(join(folder, 'metadata.sqlite'));
  const invalidations = createTestInvalidations();
  const clock = createFakeClock();
  const books: RuleBook[] = [];
  const rig: Rig = {
    metadata,
    invalidations,
    clock,
    failures: [],
    counts: { changes: 0 },
    configured: [],
    upstreams: 'public',
    secret: { kind: 'notFound' },
    failing: 0,
    open: async () => {
      const book = await openRuleBook({
        metadata: {
          repositories: metadata.repositories,
          rules: {
            ...metadata.rules,
            findPullRule: async (key) => {
              rig.failing -= 1;
              if (rig.failing >= 0) throw new Error('the database is away');
              return metadata.rules.findPullRule(key);
            },
          },
        },
        invalidations,
        clock,
        home: homeRegistry,
        configured: () => rig.configured,
        upstreams: () => rig.upstreams,
        secrets: {
          find: async () => {
            if (rig.secret instanceof Error) throw rig.secret;
            return rig.secret;
          },
        },
        accountInSecret,
        onChange: () => (rig.counts.changes += 1),
        onFailure: (error) => rig.failures.push(error),
      });
      books.push(book);
      return book;
    },
    make: async (rule) => {
      await metadata.rules.createPullRule({ rule, rulesMax: 10_000, allMax });
      const { registry, prefix } = rule;
      invalidations.note({ kind: 'rules', registry, prefix });
    },
    [Symbol.asyncDispose]: async () => {
      for (const book of books) book[Symbol.dispose]();
      await metadata[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
  return rig;
}

function upstreamOf(book: RuleBook, name: string, registry: RegistryKey = homeRegistry) {
  return book.inForce.of(registry).byPath(name)?.rule?.urls[0]?.host;
}

function value(username: string, accessToken = 't0ken', secret = `${arn}-AbCdEf`): FoundSecret {
  return { kind: 'value', secret, text: JSON.stringify({ username, accessToken }) };
}

suite('the rules of a registry', () => {
  test('hold what was made before a start, in each registry its own', async () => {
    await using rig = await createRig();
    for (let index = 0; index < 501; index += 1)
      await rig.metadata.rules.createPullRule({ rule: row(`p${index}`), rulesMax: 1000, allMax });
    await rig.make(row('a', { registry: other, upstreamUrl: 'ghcr.io' }));
    const book = await rig.open();
    equal(upstreamOf(book, 'p500/x'), 'quay.io');
    equal(upstreamOf(book, 'a/x'), undefined);
    equal(upstreamOf(book, 'a/x', other), 'ghcr.io');
  });

  test('hold a change once it has settled, in every process that hears of it', async () => {
    await using rig = await createRig();
    const [one, two] = [await rig.open(), await rig.open()];
    await rig.make(row('a'));
    await Promise.all([one.settled(), two.settled()]);
    deepEqual([upstreamOf(one, 'a/x'), upstreamOf(two, 'a/x')], ['quay.io', 'quay.io']);
    await rig.metadata.rules.deletePullRule(row('a'));
    rig.invalidations.note({ kind: 'rules', registry: homeRegistry, prefix: 'a' });
    await Promise.all([one.settled(), two.settled()]);
    deepEqual([upstreamOf(one, 'a/x'), upstreamOf(two, 'a/x')], [undefined, undefined]);
  });

  test('of a registry that changes leave the others, and their own other rules, the same objects', async () => {
    await using rig = await createRig();
    const book = await rig.open();
    await rig.make(row('a'));
    await rig.make(row('a', { registry: other }));
    await book.settled();
    const theirs = book.inForce.of(other);
    const own = book.inForce.of(homeRegistry).byPath('a/x')?.rule;
    await rig.make(row('b'));
    await book.settled();
    equal(book.inForce.of(other), theirs);
    equal(book.inForce.of(homeRegistry).byPath('a/x')?.rule, own);
  });

  test('are the file, what was made, the built-in ones: of one prefix the first is in force', async () => {
    await using rig = await createRig();
    rig.configured = [testRule({ prefix: 'team' }), ...builtinRules];
    const book = await rig.open();
    await rig.make(row('team'));
    await rig.make(row('docker.io', { upstreamUrl: 'mirror.gcr.io' }));
    await book.settled();
    equal(book.inForce.of(homeRegistry).byPath('team/x')?.rule?.origin, 'file');
    equal(upstreamOf(book, 'docker.io/library/nginx'), 'mirror.gcr.io');
    const shadowed = book.all(homeRegistry).filter(({ shadowedBy }) => shadowedBy !== undefined);
    deepEqual(
      shadowed.map(({ rule, shadowedBy }) => [rule.prefix, rule.origin, shadowedBy]),
      [
        ['team', 'api', 'file'],
        ['docker.io', 'builtin', 'api'],
      ],
    );
    await rig.metadata.rules.deletePullRule(row('docker.io'));
    rig.invalidations.note({ kind: 'rules', registry: homeRegistry, prefix: 'docker.io' });
    await book.settled();
    equal(book.inForce.of(homeRegistry).byPath('docker.io/nginx')?.rule?.origin, 'builtin');
  });

  test('follow a reload at once, and what it says of where they may lead', async () => {
    await using rig = await createRig();
    rig.upstreams = 'any';
    const book = await rig.open();
    await rig.make(row('a', { upstreamUrl: 'http://127.0.0.1:5000' }));
    await book.settled();
    equal(book.inForce.of(homeRegistry).byPath('a/x')?.rule?.blocked, undefined);
    rig.configured = [testRule({ prefix: 'new' })];
    rig.upstreams = 'public';
    rig.invalidations.note({ kind: 'configuration' });
    equal(book.inForce.of(homeRegistry).byPath('new/x')?.rule?.prefix, 'new');
    await book.settled();
    const blocked = book.inForce.of(homeRegistry).byPath('a/x')?.rule?.blocked;
    equal(blocked?.includes('apiUpstreams: public'), true);
  });

  test('that could not be read are read a second later', async () => {
    await using rig = await createRig();
    const book = await rig.open();
    rig.failing = 1;
    await rig.make(row('a'));
    await rejects(book.settled(), /the database is away/);
    equal(rig.failures.length, 1);
    equal(upstreamOf(book, 'a/x'), undefined);
    rig.clock.advance(1000);
    await book.settled();
    equal(upstreamOf(book, 'a/x'), 'quay.io');
  });

  test('are not read again once the book is closed', async () => {
    await using rig = await createRig();
    const book = await rig.open();
    rig.failing = 1;
    await rig.make(row('a'));
    const settled = book.settled();
    while (rig.failing > 0) await Promise.resolve();
    book[Symbol.dispose]();
    await rejects(settled, /the database is away/);
    deepEqual([rig.clock.pending, rig.failures.length], [0, 0]);
  });

  test('are read whole where changes may have been missed', async () => {
    await using rig = await createRig();
    const book = await rig.open();
    await rig.metadata.rules.createPullRule({ rule: row('a'), rulesMax: 5, allMax });
    rig.invalidations.note({ kind: 'missed' });
    await book.settled();
    equal(upstreamOf(book, 'a/x'), 'quay.io');
    equal(rig.counts.changes, 1);
  });
});

suite("a rule's secret", () => {
  async function opened(): Promise<{ rig: Rig; book: RuleBook; rule: () => PullRule }> {
    const rig = await createRig();
    const book = await rig.open();
    const rule = (): PullRule => {
      const found = book.inForce.of(homeRegistry).byPath('a/x')?.rule;
      if (found === undefined) throw new Error('no rule');
      return found;
    };
    return { rig, book, rule };
  }

  test('is read when the rule is, and again when secrets change', async () => {
    const { rig, book, rule } = await opened();
    await using _rig = rig;
    rig.secret = { kind: 'noValue', secret: `${arn}-AbCdEf` };
    await rig.make(row('a', { credentialArn: arn }));
    await book.settled();
    equal(rule().blocked?.startsWith('the secret has no value yet'), true);
    rig.secret = value('ann');
    rig.invalidations.note({ kind: 'secrets', registry: homeRegistry });
    await book.settled();
    deepEqual(
      [rule().blocked, rule().credential?.username, rule().credential?.accessToken],
      [undefined, 'ann', 't0ken'],
    );
    const before = rule();
    rig.invalidations.note({ kind: 'secrets', registry: homeRegistry });
    rig.invalidations.note({ kind: 'secrets', registry: other });
    await book.settled();
    equal(rule(), before);
  });

  test('names what is wrong with it, and shows nothing of it', async () => {
    const { rig, book, rule } = await opened();
    await using _rig = rig;
    const text = '{"username":"ann","accessToken":"s3cret"}}';
    rig.secret = { kind: 'value', secret: arn, text };
    await rig.make(row('a', { credentialArn: arn }));
    await book.settled();
    equal(
      rule().blocked,
      'the secret\'s value is no JSON (at character 42, where it should have ended): write {"username": "…", "accessToken": "…"}',
    );
  });

  test('that is gone leaves the rule its content, over a restart too; another user begins with nothing', async () => {
    const { rig, book, rule } = await opened();
    await using _rig = rig;
    rig.secret = value('ann');
    await rig.make(row('a', { credentialArn: arn }));
    await book.settled();
    const identity = ruleIdentity(rule());
    rig.secret = { kind: 'deleted', secret: `${arn}-AbCdEf` };
    rig.invalidations.note({ kind: 'secrets', registry: homeRegistry });
    await book.settled();
    deepEqual([ruleIdentity(rule()), rule().credential?.accessToken], [identity, '']);
    const again = await rig.open();
    const later = again.inForce.of(homeRegistry).byPath('a/x')?.rule;
    equal(later && ruleIdentity(later), identity);
    rig.secret = value('ann', 'renewed');
    rig.invalidations.note({ kind: 'secrets', registry: homeRegistry });
    await book.settled();
    equal(ruleIdentity(rule()), identity);
    rig.secret = value('bob');
    rig.invalidations.note({ kind: 'secrets', registry: homeRegistry });
    await book.settled();
    notEqual(ruleIdentity(rule()), identity);
  });

  test('that cannot be read at all is tried again', async () => {
    const { rig, book, rule } = await opened();
    await using _rig = rig;
    rig.secret = new Error('the database is away');
    await rig.make(row('a', { credentialArn: arn }));
    await rejects(book.settled(), /the database is away/);
    rig.secret = value('ann');
    rig.clock.advance(1000);
    await book.settled();
    equal(rule().credential?.username, 'ann');
  });
});

suite('a secret that the configuration names and an API has', () => {
  const named = { name: 'hub', at: 'b.yaml:3:17: rules[0].credential' };
  const fileRule = (secret = named): PullRule => ({
    ...testRule({ prefix: 'a' }),
    origin: 'file',
    credential: { name: secret.name, username: '', accessToken: '' },
    secret,
    blocked: 'not read yet',
  });
  const ruleOf = (book: RuleBook): PullRule => {
    const found = book.inForce.of(homeRegistry).byPath('a/x')?.rule;
    if (found === undefined) throw new Error('no rule');
    return found;
  };
  const shown = (book: RuleBook): readonly unknown[] => {
    const { blocked, credential } = ruleOf(book);
    return [blocked, credential?.name, credential?.username, credential?.accessToken];
  };
  const secretsChanged = async (rig: Rig, book: RuleBook): Promise<void> => {
    rig.invalidations.note({ kind: 'secrets', registry: homeRegistry });
    await book.settled();
  };

  test('is shown from the start, and another value once it has settled, as another asker', async () => {
    await using rig = await createRig();
    rig.configured = [fileRule()];
    rig.secret = value('ann');
    const book = await rig.open();
    deepEqual(shown(book), [undefined, 'hub', 'ann', 't0ken']);
    const [before, identity] = [ruleMemoryKey(ruleOf(book)), ruleIdentity(ruleOf(book))];
    rig.secret = value('ann', 'renewed');
    await secretsChanged(rig, book);
    deepEqual(shown(book), [undefined, 'hub', 'ann', 'renewed']);
    notEqual(ruleMemoryKey(ruleOf(book)), before);
    equal(ruleIdentity(ruleOf(book)), identity);
    const same = ruleOf(book);
    await secretsChanged(rig, book);
    equal(ruleOf(book), same);
  });

  for (const [what, secret, problem] of [
    [
      'is not there',
      { kind: 'notFound' },
      'no such secret: write it into secretsFile, or make it with aws secretsmanager create-secret --name hub --secret-string \'{"username": "…", "accessToken": "…"}\'',
    ],
    [
      'has no value',
      { kind: 'noValue', secret: arn },
      'the secret has no value yet: put one as {"username": "…", "accessToken": "…"}',
    ],
    [
      'has one of another shape',
      { kind: 'value', secret: arn, text: '{"username":"ann","token":"s3cret"}' },
      'the secret has no accessToken: write {"username": "…", "accessToken": "…"}',
    ],
  ] as const)
    test(`and ${what}: the rule’s upstream is not asked, and why names the place`, async () => {
      await using rig = await createRig();
      rig.configured = [fileRule()];
      rig.secret = secret;
      const book = await rig.open();
      equal(ruleOf(book).blocked, `${named.at}: hub: ${problem}`);
      equal(ruleOf(book).credential?.accessToken, '');
    });

  test('that is gone leaves the rule its content, over a restart too', async () => {
    await using rig = await createRig();
    rig.configured = [fileRule()];
    rig.secret = value('ann');
    const book = await rig.open();
    const identity = ruleIdentity(ruleOf(book));
    rig.secret = { kind: 'notFound' };
    await secretsChanged(rig, book);
    equal(ruleIdentity(ruleOf(book)), identity);
    equal(ruleIdentity(ruleOf(await rig.open())), identity);
  });

  test('and a reload names first is read before the rule is in force; one that was named before at once', async () => {
    await using rig = await createRig();
    const inFile = { name: 'hub', username: 'ann', accessToken: 'of the file' };
    rig.configured = [{ ...testRule({ prefix: 'a' }), credential: inFile }];
    const book = await rig.open();
    rig.configured = [fileRule()];
    rig.secret = value('ann');
    rig.invalidations.note({ kind: 'configuration' });
    deepEqual(shown(book), [undefined, 'hub', 'ann', 'of the file']);
    await book.settled();
    deepEqual(shown(book), [undefined, 'hub', 'ann', 't0ken']);
    rig.configured = [fileRule({ ...named, at: 'b.yaml:9' })];
    rig.invalidations.note({ kind: 'configuration' });
    deepEqual(shown(book), [undefined, 'hub', 'ann', 't0ken']);
    await book.settled();
  });

  test('that cannot be read when it is named keeps no other rule out of force', async () => {
    await using rig = await createRig();
    const book = await rig.open();
    rig.configured = [fileRule(), testRule({ prefix: 'new' })];
    rig.secret = new Error('the database is away');
    rig.invalidations.note({ kind: 'configuration' });
    await rejects(book.settled(), /the database is away/);
    equal(book.inForce.of(homeRegistry).byPath('new/x')?.rule?.prefix, 'new');
    equal(ruleOf(book).blocked, 'not read yet');
    rig.secret = value('ann');
    rig.clock.advance(1000);
    await book.settled();
    deepEqual(shown(book), [undefined, 'hub', 'ann', 't0ken']);
  });
});
