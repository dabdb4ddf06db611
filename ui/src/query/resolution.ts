// How far apart the points of a graph are, and which ranges the zoom buttons step through.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Points a graph aims at when the step is chosen for it. */
const POINTS = 300;

const NICE_STEPS: readonly number[] = [
  SECOND,
  2 * SECOND,
  5 * SECOND,
  10 * SECOND,
  15 * SECOND,
  30 * SECOND,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
];

const RANGES: readonly number[] = [
  MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
  14 * DAY,
  28 * DAY,
  56 * DAY,
  112 * DAY,
  182 * DAY,
  365 * DAY,
  730 * DAY,
];

/** The step for a range when none is given: a round number that yields at most about 300 points, never under a second. */
export function chooseStep(rangeMs: number): number {
  const ideal = rangeMs / POINTS;
  return NICE_STEPS.find((step) => step >= ideal) ?? Math.ceil(ideal / DAY) * DAY;
}

/** Start, end and step of a range query. */
export interface Grid {
  startMs: number;
  endMs: number;
  stepMs: number;
}

/**
 * The evaluation times for a panel. Both ends lie on multiples of the step, so that asking again a moment later evaluates the
 * same instants and the curve doesn't wobble.
 */
export function chooseGrid(rangeMs: number, endMs: number, stepMs: number | null): Grid {
  const step = stepMs ?? chooseStep(rangeMs);
  const end = Math.floor(endMs / step) * step;
  const start = Math.floor((endMs - rangeMs) / step) * step;
  return { startMs: start, endMs: end, stepMs: step };
}

/** The next longer range among the usual ones; the range itself at the end of the list. */
export function longerRange(rangeMs: number): number {
  return RANGES.find((range) => range > rangeMs) ?? rangeMs;
}

/** The next shorter range among the usual ones; the range itself at the start of the list. */
export function shorterRange(rangeMs: number): number {
  return [...RANGES].reverse().find((range) => range < rangeMs) ?? rangeMs;
}
