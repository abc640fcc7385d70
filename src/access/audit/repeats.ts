import type { AuditRow } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';

export type NewAuditRow = Omit<AuditRow, 'id'>;

/** Lets the first of identical rows through at once and gathers the others of its minute. */
export interface Repeats {
  add(row: NewAuditRow): void;
  /** Lets through what was gathered. */
  end(): void;
}

const minuteMs = 60_000;
/** Rows of a crowd and a minute that stand for different ones each; those beyond share one. */
const gatheredMax = 100;

/**
 * Who shares a minute's budget of different rows, so that nobody uses up another's. Anonymous requests are one crowd; of the known
 * each principal has a part, of failed logins each source.
 */
const crowds = {
  anonymous: { eachMax: 100, allMax: 100 },
  login: { eachMax: 50, allMax: 500 },
  known: { eachMax: 200, allMax: 1000 },
} as const;

type CrowdName = keyof typeof crowds;

interface Crowd {
  /** How many different rows, in all and of each member. */
  all: number;
  readonly each: Map<string, number>;
  /** What stands for the rows beyond, by what they have in common. */
  readonly gathered: Map<string, NewAuditRow>;
}

/** Beyond a budget rows lose what tells them apart: first names and actions, then who and from where; their count stays. */
export function createRepeats(clock: Clock, enqueue: (row: NewAuditRow) => void): Repeats {
  /** The row that stands for the repetitions; `undefined` until there is one. */
  const seen = new Map<string, NewAuditRow | undefined>();
  const crowdsNow = new Map<CrowdName, Crowd>();
  let timer: Disposable | undefined;

  const crowdOf = (name: CrowdName): Crowd => {
    const known = crowdsNow.get(name);
    if (known !== undefined) return known;
    const made: Crowd = { all: 0, each: new Map(), gathered: new Map() };
    crowdsNow.set(name, made);
    return made;
  };
  const end = (): void => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    const gathered = [...crowdsNow.values()].flatMap((crowd) => [...crowd.gathered.values()]);
    const rows = [...seen.values(), ...gathered].filter((row) => row !== undefined);
    seen.clear();
    crowdsNow.clear();
    rows.forEach(enqueue);
  };
  return {
    end,
    add(row) {
      timer ??= clock.after(minuteMs, end);
      const key = JSON.stringify({ ...row, at: 0, requestId: '' });
      if (seen.has(key)) {
        seen.set(key, { ...row, count: (seen.get(key)?.count ?? 0) + 1 });
        return;
      }
      const name = crowdNameOf(row);
      const crowd = crowdOf(name);
      const member = name === 'login' ? row.address : row.principal;
      const mine = crowd.each.get(member) ?? 0;
      const { eachMax, allMax } = crowds[name];
      if (mine >= eachMax || crowd.all >= allMax) {
        gather(crowd, name, row);
        return;
      }
      crowd.each.set(member, mine + 1);
      crowd.all += 1;
      seen.set(key, undefined);
      enqueue(row);
    },
  };
}

function crowdNameOf({ kind, principal }: NewAuditRow): CrowdName {
  if (kind === 'login') return 'login';
  return principal === 'anonymous' ? 'anonymous' : 'known';
}

function gather({ gathered }: Crowd, name: CrowdName, row: NewAuditRow): void {
  const detail = JSON.stringify({ because: 'more different ones than a minute keeps apart' });
  const shared: NewAuditRow = { ...row, resource: '*', detail, count: 1 };
  const principal = name === 'login' ? '*' : row.principal;
  const action = name === 'known' ? '*' : row.action;
  const named: NewAuditRow = { ...shared, principal, action };
  const unnamed: NewAuditRow = {
    ...shared,
    principal: name === 'anonymous' ? row.principal : '*',
    action: '*',
    address: '*',
  };
  const key = `${principal} ${action} ${row.address}`;
  if (gathered.has(key) || gathered.size < gatheredMax) count(gathered, key, named);
  else count(gathered, '', unnamed);
}

function count(gathered: Map<string, NewAuditRow>, key: string, row: NewAuditRow): void {
  gathered.set(key, { ...row, count: (gathered.get(key)?.count ?? 0) + 1 });
}
