// A range query's answer laid out for drawing: one column of times, one column of values per series, null where nothing is.
import type { Labels, RangeSeries } from '../api/types';
import { seriesName } from '../format/labels';
import { parseSampleValue } from '../format/number';
import type { Grid } from './resolution';

/** More series than this are not drawn: neither the eye nor the canvas has use for them. */
export const SERIES_DRAWN_MAX = 300;

/** Values of one series on the grid. */
export interface Column {
  labels: Labels;
  name: string;
  values: Array<number | null>;
}

/** What a graph draws. */
export interface Frame {
  /** Evaluation times in seconds. */
  times: number[];
  columns: Column[];
  /** Series in the answer, drawn or not. */
  seriesTotal: number;
  /** NaN and infinite values among the drawn series; they leave gaps. */
  nonFinite: number;
  /** Series with native histograms, which have no curve. */
  histograms: number;
}

/** Lays the series out on the grid. Steps without a sample stay null, so that a gap in the data is a gap in the curve. */
export function layOut(series: readonly RangeSeries[], grid: Grid): Frame {
  const count = Math.floor((grid.endMs - grid.startMs) / grid.stepMs) + 1;
  const times = Array.from({ length: count }, (_, i) => (grid.startMs + i * grid.stepMs) / 1000);
  const frame: Frame = { times, columns: [], seriesTotal: series.length, nonFinite: 0, histograms: 0 };
  for (const { metric, values, histograms } of series) {
    if (!values || values.length === 0) {
      if (histograms && histograms.length > 0) frame.histograms += 1;
      continue;
    }
    if (frame.columns.length >= SERIES_DRAWN_MAX) continue;
    const column: Column = {
      labels: metric,
      name: seriesName(metric),
      values: new Array<number | null>(count).fill(null),
    };
    for (const [seconds, text] of values) {
      const index = Math.round((seconds * 1000 - grid.startMs) / grid.stepMs);
      if (index < 0 || index >= count) continue;
      const value = parseSampleValue(text);
      if (Number.isFinite(value)) column.values[index] = value;
      else frame.nonFinite += 1;
    }
    frame.columns.push(column);
  }
  return frame;
}

/**
 * The columns stacked on each other, each the sum of itself and those before it. A series without a sample at a step adds
 * nothing there; a step at which no series has a sample stays a gap.
 */
export function stack(columns: ReadonlyArray<ReadonlyArray<number | null>>): Array<Array<number | null>> {
  const length = columns[0]?.length ?? 0;
  const present = Array.from({ length }, (_, i) => columns.some((column) => column[i] !== null));
  const sums = new Array<number>(length).fill(0);
  return columns.map((column) =>
    column.map((value, i) => {
      sums[i] = (sums[i] as number) + (value ?? 0);
      return present[i] ? (sums[i] as number) : null;
    }),
  );
}

/** Indices of values with a gap on both sides: a line can't show them, so they are drawn as points. */
export function isolated(values: ReadonlyArray<number | null | undefined>): number[] {
  const found: number[] = [];
  values.forEach((value, i) => {
    if (value != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
  });
  return found;
}
