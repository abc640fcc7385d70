import { deepEqual, equal } from 'node:assert/strict';
import { pullTimeExclusions } from '../../../src/domain/registries/pull-time-exclusions.ts';
import type { AuditRow } from '../../../src/metadata/contract/rows.ts';
import type { MetadataRow } from './row.ts';
import { home, keyOf, manifestInput } from './samples.ts';
import { digestOf } from '../../support/samples/digest.ts';

const hourMs = 3_600_000;

/** Pulls and the audit. */
export const recordsRows: readonly MetadataRow[] = [
  {
    name: 'pulls are counted in their hour, the last time kept, newest first',
    async run(metadata) {
      const pull = {
        registry: home,
        clientAddress: '10.0.0.1',
        ns: '',
        image: 'quay.io/a:x',
        digest: undefined,
        verdict: 'hit',
      } as const;
      const at = 5 * hourMs + 10;
      await metadata.records.recordPulls([
        { ...pull, at },
        { ...pull, at: at + 5, count: 3 },
        { ...pull, at: at + hourMs },
      ]);
      await metadata.records.recordPulls([{ ...pull, at: at + 2 }]);
      deepEqual(await metadata.records.listPulls(10), [
        { ...pull, hour: 6 * hourMs, count: 1, lastAt: at + hourMs },
        { ...pull, hour: 5 * hourMs, count: 5, lastAt: at + 5 },
      ]);
      equal((await metadata.records.listPulls(1)).length, 1);
    },
  },
  {
    name: 'pulls by an excluded principal are counted and leave pull times as they are',
    async run({ repositories, manifests, tags, records }) {
      await manifests.storeManifest(manifestInput('quay.io/app', 'one', { tag: 'b' }));
      const scanner = 'arn:aws:iam::000000000000:user/scanner';
      const exclusion = { registry: home, name: pullTimeExclusions, member: scanner, now: 1 };
      await repositories.addToRegistrySetting({ ...exclusion, membersMax: 2 });
      const pull = {
        registry: home,
        clientAddress: 'c',
        ns: '',
        image: 'quay.io/app:b',
        digest: undefined,
        verdict: 'hit',
      } as const;
      const pulledAt = async () => {
        const [row] = await tags.listTagRows(keyOf('quay.io/app'), '', 1);
        return row?.lastPulledAt;
      };
      await records.recordPulls([
        { ...pull, principal: scanner, at: 5000 },
        { ...pull, principal: `${scanner}2`, at: 3000 },
        { ...pull, at: 2000 },
      ]);
      equal(await pulledAt(), 3000);
      equal((await records.listPulls(5))[0]?.count, 3);
      await repositories.removeFromRegistrySetting(exclusion);
      await records.recordPulls([{ ...pull, principal: scanner, at: 6000 }]);
      equal(await pulledAt(), 6000);
    },
  },
  {
    name: 'a role that is excluded is so in each of its sessions, whatever its path',
    async run({ repositories, manifests, tags, records }) {
      await manifests.storeManifest(manifestInput('quay.io/app', 'one', { tag: 'b' }));
      const member = 'arn:aws:iam::000000000000:role/team/scanner';
      const key = { registry: home, name: pullTimeExclusions, now: 1 };
      await repositories.addToRegistrySetting({ ...key, member, membersMax: 2 });
      const pull = {
        registry: home,
        clientAddress: 'c',
        ns: '',
        image: 'quay.io/app:b',
        digest: undefined,
        verdict: 'hit',
      } as const;
      const session = 'arn:aws:sts::000000000000:assumed-role';
      await records.recordPulls([
        { ...pull, principal: `${session}/scanner/nightly`, at: 5000 },
        { ...pull, principal: `${session}/scanner2/nightly`, at: 3000 },
        { ...pull, principal: 'arn:aws:iam::000000000000:user/scanner', at: 2000 },
      ]);
      const [row] = await tags.listTagRows(keyOf('quay.io/app'), '', 1);
      equal(row?.lastPulledAt, 3000);
    },
  },
  {
    name: 'old pulls are dropped, then the oldest beyond the bound',
    async run(metadata) {
      const pull = {
        registry: home,
        clientAddress: 'c',
        ns: 'docker.io',
        digest: digestOf('d'),
        verdict: 'miss',
      } as const;
      await metadata.records.recordPulls(
        Array.from({ length: 1200 }, (_, index) => ({
          ...pull,
          image: `a:${1000 + index}`,
          at: index,
        })),
      );
      await metadata.records.prunePulls({ before: 100, now: 1200, rowsMax: 2000 });
      equal((await metadata.records.listPulls(2000)).length, 1100);
      await metadata.records.prunePulls({ before: 0, now: 1200, rowsMax: 10 });
      deepEqual(
        (await metadata.records.listPulls(2000)).map((row) => row.lastAt),
        [1199, 1198, 1197, 1196, 1195, 1194, 1193, 1192, 1191, 1190],
      );
    },
  },
  {
    name: 'the audit keeps every row in its order, and is read from its end',
    async run(metadata) {
      const rows = Array.from({ length: 1300 }, (_, index): Omit<AuditRow, 'id'> => ({
        at: 1000 - index,
        kind: 'decision',
        principal: 'anonymous',
        action: 'ecr:PutImage',
        resource: `team/app${index}`,
        registry: home,
        outcome: 'denied',
        address: '127.0.0.1',
        requestId: `r${index}`,
        detail: '{"by":"ü"}',
        count: index + 1,
      }));
      await metadata.records.appendAudit([]);
      await metadata.records.appendAudit(rows.slice(0, 1299));
      await metadata.records.appendAudit(rows.slice(1299));
      const seen: AuditRow[] = [];
      for (;;) {
        const before = seen.at(-1)?.id;
        const page = await metadata.records.listAudit({ account: undefined, before, limit: 500 });
        if (page.length === 0) break;
        seen.push(...page);
      }
      deepEqual(
        seen,
        rows.toReversed().map((row, index) => ({ id: seen[index]?.id, ...row })),
      );
      equal(new Set(seen.map((row) => row.id)).size, 1300);
      const first = rows[0] as (typeof rows)[number];
      const regions = ['us-east-1', 'eu-west-1'] as const;
      await metadata.records.appendAudit(
        regions.map((region) => ({ ...first, registry: `111122223333/${region}` })),
      );
      await metadata.records.appendAudit([first]);
      const account = '111122223333';
      const theirs = await metadata.records.listAudit({ account, before: undefined, limit: 500 });
      deepEqual(
        theirs.map((row) => row.registry),
        regions.map((region) => `${account}/${region}`).toReversed(),
      );
      const before = theirs[0]?.id;
      deepEqual(await metadata.records.listAudit({ account, before, limit: 1 }), [theirs[1]]);
    },
  },
  {
    name: 'rows of the audit are dropped by kind and age, the oldest beyond what is kept',
    async run(metadata) {
      const now = 9;
      const row = (kind: string, principal: string, at: number): Omit<AuditRow, 'id'> => ({
        at,
        kind,
        principal,
        action: 'a',
        resource: '',
        registry: home,
        outcome: 'denied',
        address: '127.0.0.1',
        requestId: 'r',
        detail: '{}',
        count: 1,
      });
      const kinds = [
        ['denial', 'anonymous'],
        ['denial', 'arn:x'],
        ['login', 'anonymous'],
        ['change', 'arn:x'],
      ] as const;
      await metadata.records.appendAudit(
        [1, 2, 3, 4].flatMap((at) => kinds.map(([kind, who]) => row(kind, who, at))),
      );
      const left = async (): Promise<readonly string[]> => {
        const rows = await metadata.records.listAudit({
          account: undefined,
          before: undefined,
          limit: 99,
        });
        return kinds.map(([kind, who]) =>
          rows
            .filter((each) => each.kind === kind && each.principal === who)
            .map(({ at }) => at)
            .toReversed()
            .join(''),
        );
      };
      await metadata.records.pruneAudit({ kind: 'anonymousDenial', before: 2, now, rowsMax: 1 });
      deepEqual(await left(), ['4', '1234', '1234', '1234']);
      await metadata.records.pruneAudit({ kind: 'denial', before: 3, now, rowsMax: 9 });
      deepEqual(await left(), ['4', '34', '1234', '1234']);
      await metadata.records.pruneAudit({ kind: 'login', before: 2, now, rowsMax: 4 });
      deepEqual(await left(), ['4', '34', '234', '1234']);
      await metadata.records.pruneAudit({ kind: 'change', before: 0, now, rowsMax: 2 });
      deepEqual(await left(), ['4', '34', '234', '34']);
    },
  },
  {
    name: 'however many rows of the audit are too many, all of them go',
    async run(metadata) {
      const rows = Array.from({ length: 10_100 }, (_, at): Omit<AuditRow, 'id'> => ({
        at,
        kind: 'change',
        principal: 'p',
        action: 'a',
        resource: '',
        registry: home,
        outcome: 'allowed',
        address: '127.0.0.1',
        requestId: 'r',
        detail: '{}',
        count: 1,
      }));
      await metadata.records.appendAudit(rows);
      const now = 20_000;
      await metadata.records.pruneAudit({ kind: 'change', before: 10_098, now, rowsMax: 10_099 });
      const left = await metadata.records.listAudit({
        account: undefined,
        before: undefined,
        limit: 99,
      });
      deepEqual(
        left.map(({ at }) => at),
        [10_099, 10_098],
      );
    },
  },
];
