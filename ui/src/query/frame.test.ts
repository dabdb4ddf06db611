import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RangeSeries } from '../api/types';
import { isolated, layOut, SERIES_DRAWN_MAX, stack } from './frame';

const GRID = { startMs: 1000, endMs: 5000, stepMs: 1000 };

test('steps without a sample are gaps, values that are no numbers as well', () => {
  const series: RangeSeries[] = [
    {
      metric: { __name__: 'a' },
      values: [
        [1, '1'],
        [2, '2'],
        [5, '5'],
      ],
    },
    {
      metric: { __name__: 'b' },
      values: [
        [1, 'NaN'],
        [3, '+Inf'],
        [4, '-4'],
        [9, '9'],
      ],
    },
  ];
  const frame = layOut(series, GRID);
  assert.deepEqual(frame.times, [1, 2, 3, 4, 5]);
  assert.deepEqual(
    frame.columns.map(({ values }) => values),
    [
      [1, 2, null, null, 5],
      [null, null, null, -4, null],
    ],
  );
  assert.equal(frame.nonFinite, 2);
  assert.equal(frame.seriesTotal, 2);
});

test('times that are off by floating point fall on their step', () => {
  const grid = { startMs: 1_763_691_600_000, endMs: 1_763_691_600_300, stepMs: 100 };
  const frame = layOut(
    [
      {
        metric: {},
        values: [
          [1_763_691_600.1, '1'],
          [1_763_691_600.299999, '3'],
        ],
      },
    ],
    grid,
  );
  assert.deepEqual(frame.columns[0]?.values, [null, 1, null, 3]);
});

test('only so many series are laid out; histograms have no curve', () => {
  const many = Array.from({ length: SERIES_DRAWN_MAX + 5 }, (_, i): RangeSeries => ({
    metric: { i: String(i) },
    values: [[1, '1']],
  }));
  const histogram: RangeSeries = { metric: { h: '1' }, histograms: [[1, { count: '1', sum: '1' }]] };
  const frame = layOut([histogram, ...many], GRID);
  assert.equal(frame.columns.length, SERIES_DRAWN_MAX);
  assert.equal(frame.seriesTotal, SERIES_DRAWN_MAX + 6);
  assert.equal(frame.histograms, 1);
});

test('stacking sums what is there; a step without any sample stays a gap', () => {
  assert.deepEqual(
    stack([
      [1, null, null],
      [2, 3, null],
    ]),
    [
      [1, 0, null],
      [3, 3, null],
    ],
  );
  assert.deepEqual(stack([]), []);
});

test('a lone sample is found', () => {
  assert.deepEqual(isolated([1, null, 2, 3, null, 4]), [0, 5]);
  assert.deepEqual(isolated([null, 7, null]), [1]);
  assert.deepEqual(isolated([1, 2, 3]), []);
});
