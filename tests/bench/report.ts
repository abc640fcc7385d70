import { isReached } from './figure.ts';
import type { Ratio, Row } from './figure.ts';

export interface Host {
  readonly date: string;
  readonly node: string;
  readonly cpus: number;
  readonly cpuModel: string;
  readonly memoryBytes: number;
  readonly kernel: string;
  /** The commit measured; `+` where files differed from it. */
  readonly commit: string;
  readonly peers: Readonly<Record<string, string>>;
  readonly clients: string;
  readonly pinned: boolean;
  readonly quick: boolean;
  /** One-minute load average at the start: on a busy machine only ratios mean something. */
  readonly loadAverage: number;
}

export interface Report {
  readonly host: Host;
  readonly rows: readonly Row[];
  /** Figures that could not be measured, and why. */
  readonly failed: Readonly<Record<string, string>>;
}

/** A table as text, one line a reading, one a goal. */
export function formatText(report: Report): string {
  const lines: string[] = ['', formatHost(report.host)];
  for (const row of report.rows) {
    lines.push('', row.title);
    for (const { system, median, samples } of row.readings) {
      const spread = [Math.min(...samples), Math.max(...samples)].map(formatNumber).join(' … ');
      lines.push(
        `  ${system.padEnd(34)} ${formatNumber(median).padStart(10)} ${row.unit.padEnd(22)} ${spread}`,
      );
    }
    for (const ratio of row.ratios)
      lines.push(
        `  ${ratio.what.padEnd(34)} ${formatNumber(ratio.value).padStart(10)} ${formatGoal(ratio)}`,
      );
    for (const note of row.notes) lines.push(`  (${note})`);
  }
  for (const [name, reason] of Object.entries(report.failed))
    lines.push('', `${name}: NOT MEASURED: ${reason}`);
  return `${lines.join('\n')}\n`;
}

/** The report's file in docs/benchmarks/: its day and commit, so that a second run of both replaces the first. */
export function fileNameOf({ host }: Report): string {
  return `${host.date.slice(0, 10)}-${host.commit.replace('+', '')}.json`;
}

/** A dated section for docs/benchmarks.md: the table, and where every sample stands. */
export function formatMarkdown(report: Report): string {
  const lines = [
    `## ${report.host.date.slice(0, 10)}`,
    '',
    formatHost(report.host),
    '',
    '| figure | measured (median, lowest … highest) | to reach |',
    '|---|---|---|',
  ];
  for (const row of report.rows) {
    const readings = row.readings.map(({ system, median, samples }) => {
      const spread = [Math.min(...samples), Math.max(...samples)].map(formatNumber).join(' … ');
      return `${system} **${formatNumber(median)}** (${spread})`;
    });
    const goals = row.ratios.map(
      (ratio) => `${ratio.what}: **${formatNumber(ratio.value)}**, ${formatGoal(ratio)}`,
    );
    lines.push(
      `| ${row.title}, ${row.unit} | ${[...readings, ...row.notes].join('<br>')} | ${goals.join('<br>')} |`,
    );
  }
  for (const [name, reason] of Object.entries(report.failed))
    lines.push('', `Not measured: ${name}: ${reason}`);
  const file = fileNameOf(report);
  lines.push('', `Every sample: [${file}](benchmarks/${file}).`, '');
  return lines.join('\n');
}

function formatHost(host: Host): string {
  const peers = Object.entries(host.peers).map(([name, version]) => `${name} ${version}`);
  return [
    `${host.date}, commit ${host.commit}, Node ${host.node}, ${host.cpus} × ${host.cpuModel}`,
    `Linux ${host.kernel}, load average ${formatNumber(host.loadAverage)} at the start`,
    `server and load ${host.pinned ? 'on a core each' : 'NOT on cores of their own'}`,
    `clients ${host.clients}${host.quick ? ', quick (one run each)' : ''}`,
    `peers: ${peers.join(', ') || 'none'}`,
  ].join('; ');
}

function formatGoal(ratio: Ratio): string {
  const [sign, goal] =
    'atLeast' in ratio.goal ? ['≥', ratio.goal.atLeast] : ['≤', ratio.goal.atMost];
  return `${isReached(ratio) ? 'reached' : 'NOT reached'} (${sign} ${formatNumber(goal)})`;
}

export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(value >= 100 ? 4 : 3)));
}
