// An instant query's answer as rows of a table, and their order.
import type { HistogramValue, Labels, QueryData, SamplePair } from '../api/types';
import { seriesName } from '../format/labels';
import { parseSampleValue } from '../format/number';

/** One row: a series with its value, or for a range vector with all its values. */
export interface Row {
  labels: Labels;
  /** For sorting and copying; empty for a scalar or a string. */
  name: string;
  kind: 'sample' | 'samples' | 'histogram' | 'scalar' | 'string';
  /** The value as the API wrote it. */
  text: string;
  /** The value to sort by; NaN if it has none. */
  value: number;
  samples: SamplePair[];
}

export type SortKey = 'series' | 'value';
export interface Sorting {
  key: SortKey;
  descending: boolean;
}

function histogramText(histogram: HistogramValue): string {
  return `histogram: count ${histogram.count}, sum ${histogram.sum}`;
}

/** The rows of an answer, in the answer's order. */
export function toRows(data: QueryData): Row[] {
  if (data.resultType === 'scalar' || data.resultType === 'string') {
    const text = data.result[1];
    const value = data.resultType === 'scalar' ? parseSampleValue(text) : NaN;
    return [{ labels: {}, name: '', kind: data.resultType, text, value, samples: [] }];
  }
  if (data.resultType === 'vector') {
    return data.result.map(({ metric, value, histogram }) => {
      const text = value ? value[1] : histogram ? histogramText(histogram[1]) : '';
      const sortValue = value ? parseSampleValue(value[1]) : parseSampleValue(histogram?.[1].count ?? 'NaN');
      const kind = value ? 'sample' : 'histogram';
      return { labels: metric, name: seriesName(metric), kind, text, value: sortValue, samples: [] };
    });
  }
  return data.result.map(({ metric, values = [], histograms = [] }) => {
    const samples = [
      ...values,
      ...histograms.map(([at, histogram]): SamplePair => [at, histogramText(histogram)]),
    ].sort(([a], [b]) => a - b);
    const last = samples[samples.length - 1]?.[1] ?? '';
    return {
      labels: metric,
      name: seriesName(metric),
      kind: 'samples',
      text: last,
      value: parseSampleValue(last),
      samples,
    };
  });
}

/** The rows in the wished order; without one, the answer's own, which `sort()` and `topk()` have decided. NaN comes last. */
export function sortRows(rows: readonly Row[], sorting: Sorting | null): Row[] {
  if (!sorting) return [...rows];
  const sign = sorting.descending ? -1 : 1;
  const compare =
    sorting.key === 'series'
      ? (a: Row, b: Row): number => sign * compareNames(a.name, b.name)
      : (a: Row, b: Row): number => compareValues(a.value, b.value, sign);
  return [...rows].sort(compare);
}

const collator = new Intl.Collator('en', { numeric: true });

function compareNames(a: string, b: string): number {
  return collator.compare(a, b);
}

function compareValues(a: number, b: number, sign: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a === b ? 0 : sign * (a < b ? -1 : 1);
}

/** What a click on a column's head asks for: rising, falling (values fall first), then the answer's own order again. */
export function nextSorting(current: Sorting | null, key: SortKey): Sorting | null {
  const firstDescending = key === 'value';
  if (current?.key !== key) return { key, descending: firstDescending };
  return current.descending === firstDescending ? { key, descending: !firstDescending } : null;
}
