/** How often and for how long a model runs. */
export interface ModelLimits {
  /** `BREAKWATER_MODEL_SEED`, or another each time. */
  readonly seed: number;
  readonly numRuns: number;
  readonly interruptAfterTimeLimit?: number;
}

const shortMs = 25_000;
const shortRuns = 100;
const longRuns = 10_000;

/**
 * For one of the properties of the push model, of which there are so many: BREAKWATER_MODEL_RUNS runs of each, or as many as
 * BREAKWATER_MODEL_MINUTES hold altogether, or a few.
 */
export function modelLimits(properties: number): ModelLimits {
  const {
    BREAKWATER_MODEL_SEED: chosen,
    BREAKWATER_MODEL_RUNS: runs,
    BREAKWATER_MODEL_MINUTES: minutes,
  } = process.env;
  const seed = Number(chosen ?? Date.now() % 2 ** 31);
  if (runs !== undefined) return { seed, numRuns: Number(runs) };
  if (minutes === undefined) return { seed, numRuns: shortRuns, interruptAfterTimeLimit: shortMs };
  const interruptAfterTimeLimit = (Number(minutes) * 60_000) / properties;
  return { seed, numRuns: longRuns, interruptAfterTimeLimit };
}
