import type { Metric, Registry } from '@prometheus-io/client';

/** Series of one metric; what comes beyond is counted together under `other`. */
const seriesMax = 2000;

/** Upper bounds in seconds: from a warm manifest to a large blob. */
export const durationBuckets: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

export interface MetricShape<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
}

/** Of every metric of Breakwater's own. */
export const namePrefix = 'breakwater_';

/** `name` without the prefix. */
export function shape<L extends string>(
  name: string,
  help: string,
  ...labels: readonly L[]
): MetricShape<L> {
  return { name: namePrefix + name, help, labels };
}

/** A number that is read at each scrape. It stays its series' own, so that whoever adds to it often may keep it. */
export interface Cell {
  value: number;
}

interface Labelled<L extends string> extends Cell {
  readonly labels: Readonly<Record<L, string>>;
}

interface Value {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

/** A number for each combination of label values, given in the order of the shape's labels. */
export interface Series {
  of(...labels: readonly string[]): Cell;
  add(value: number, ...labels: readonly string[]): void;
  set(value: number, ...labels: readonly string[]): void;
}

export interface Durations {
  of(...labels: readonly string[]): Histogram;
}

/** Counters and gauges kept as plain numbers, which the registry reads when it is scraped. */
export function createSeries<L extends string>(
  registry: Registry,
  type: 'counter' | 'gauge',
  shape: MetricShape<L>,
): Series {
  const cells = new Cells<L, Labelled<L>>(shape.labels, (labels) => ({ labels, value: 0 }));
  register(registry, type, shape, () =>
    cells.all().map((cell) => ({ value: cell.value, labels: cell.labels })),
  );
  return {
    of: (...labels) => cells.of(labels),
    add(value, ...labels) {
      cells.of(labels).value += value;
    },
    set(value, ...labels) {
      cells.of(labels).value = value;
    },
  };
}

/** How many were within each bound; as lasting as a `Cell`. */
export class Histogram {
  readonly labels: Readonly<Record<string, string>>;
  /** Not cumulative; the last is beyond every bound. */
  readonly counts: number[] = Array.from({ length: durationBuckets.length + 1 }, () => 0);
  sum = 0;

  constructor(labels: Readonly<Record<string, string>>) {
    this.labels = labels;
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < durationBuckets.length && seconds > (durationBuckets[bucket] ?? 0)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += seconds;
  }
}

export function createDurations<L extends string>(
  registry: Registry,
  shape: MetricShape<L>,
): Durations {
  const cells = new Cells<L, Histogram>(shape.labels, (labels) => new Histogram(labels));
  register(registry, 'histogram', shape, () =>
    cells.all().flatMap((cell) => histogramOf(shape.name, cell)),
  );
  return { of: (...labels) => cells.of(labels) };
}

/** A number that is asked for when the registry is scraped; nothing is shown where it is not known. */
export function createReading<L extends string>(
  registry: Registry,
  shape: MetricShape<L>,
  read: () => Promise<
    readonly { readonly value: number; readonly labels: Readonly<Record<L, string>> }[]
  >,
): void {
  register(registry, 'gauge', shape, read);
}

function histogramOf(name: string, cell: Histogram): Value[] {
  let below = 0;
  const buckets = cell.counts.map((count, index) => ({
    metricName: `${name}_bucket`,
    value: (below += count),
    labels: { ...cell.labels, le: durationBuckets[index] ?? '+Inf' },
  }));
  return [
    ...buckets,
    { metricName: `${name}_sum`, value: cell.sum, labels: cell.labels },
    { metricName: `${name}_count`, value: below, labels: cell.labels },
  ];
}

/** The registry renders whatever has a name, a type and `get`. */
function register(
  registry: Registry,
  type: 'counter' | 'gauge' | 'histogram',
  shape: MetricShape<string>,
  read: () => readonly Value[] | Promise<readonly Value[]>,
): void {
  const metric = {
    name: shape.name,
    help: shape.help,
    labels: shape.labels,
    type,
    aggregator: 'sum',
    reset: () => {},
    get: async () => ({
      name: shape.name,
      help: shape.help,
      type,
      aggregator: 'sum',
      values: await read(),
    }),
  };
  registry.registerMetric(metric as unknown as Metric);
}

/** Values by one label after another: the strings are few and known, and to join them would make a new one each time. */
interface Branch<C> {
  readonly branches: Map<string, Branch<C>>;
  cell: C | undefined;
}

class Cells<L extends string, C> {
  readonly #names: readonly L[];
  readonly #create: (labels: Readonly<Record<L, string>>) => C;
  readonly #cells: C[] = [];
  readonly #root: Branch<C> = { branches: new Map(), cell: undefined };

  constructor(names: readonly L[], create: (labels: Readonly<Record<L, string>>) => C) {
    this.#names = names;
    this.#create = create;
    if (names.length === 0) this.of([]);
  }

  of(values: readonly string[]): C {
    let branch: Branch<C> | undefined = this.#root;
    for (const value of values) branch = branch?.branches.get(value);
    return branch?.cell ?? this.#add(values);
  }

  #add(values: readonly string[]): C {
    if (this.#cells.length >= seriesMax && !values.every((value) => value === 'other')) {
      return this.of(this.#names.map(() => 'other'));
    }
    const labels = Object.fromEntries(
      this.#names.map((name, index) => [name, values[index] ?? '']),
    ) as Record<L, string>;
    const cell = this.#create(labels);
    let branch = this.#root;
    for (const value of values) {
      let next = branch.branches.get(value);
      if (next === undefined)
        branch.branches.set(value, (next = { branches: new Map(), cell: undefined }));
      branch = next;
    }
    branch.cell = cell;
    this.#cells.push(cell);
    return cell;
  }

  all(): readonly C[] {
    return this.#cells;
  }
}
