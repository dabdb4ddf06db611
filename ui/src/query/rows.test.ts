import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { QueryData } from '../api/types';
import { nextSorting, sortRows, toRows } from './rows';

const VECTOR: QueryData = {
  resultType: 'vector',
  result: [
    { metric: { i: '10' }, value: [1, '2'] },
    { metric: { i: '9' }, value: [1, 'NaN'] },
    { metric: { i: '2' }, value: [1, '+Inf'] },
    { metric: { i: '1' }, value: [1, '-1'] },
  ],
};

function order(key: 'series' | 'value', descending: boolean): string[] {
  return sortRows(toRows(VECTOR), { key, descending }).map(({ labels }) => labels['i'] ?? '');
}

test('rows sort by value with NaN last both ways, and by name with numbers as numbers', () => {
  assert.deepEqual(order('value', false), ['1', '10', '2', '9']);
  assert.deepEqual(order('value', true), ['2', '10', '1', '9']);
  assert.deepEqual(order('series', false), ['1', '2', '9', '10']);
  assert.deepEqual(order('series', true), ['10', '9', '2', '1']);
});

test("without a wish the answer's own order stays", () => {
  assert.deepEqual(
    sortRows(toRows(VECTOR), null).map(({ text }) => text),
    ['2', 'NaN', '+Inf', '-1'],
  );
});

test('every kind of answer becomes rows', () => {
  assert.deepEqual(
    toRows({ resultType: 'scalar', result: [1, '42'] }).map(({ kind, text, value }) => [kind, text, value]),
    [['scalar', '42', 42]],
  );
  assert.equal(toRows({ resultType: 'string', result: [1, 'hi'] })[0]?.text, 'hi');
  const [range] = toRows({
    resultType: 'matrix',
    result: [
      {
        metric: {},
        values: [
          [1, '1'],
          [2, '3'],
        ],
      },
    ],
  });
  assert.deepEqual(range?.samples, [
    [1, '1'],
    [2, '3'],
  ]);
  assert.equal(range?.value, 3);
  const [histogram] = toRows({
    resultType: 'vector',
    result: [{ metric: {}, histogram: [1, { count: '5', sum: '2.5' }] }],
  });
  assert.equal(histogram?.text, 'histogram: count 5, sum 2.5');
  assert.equal(histogram?.value, 5);
});

test('clicks on a head go round', () => {
  const first = nextSorting(null, 'value');
  assert.deepEqual(first, { key: 'value', descending: true });
  assert.deepEqual(nextSorting(first, 'value'), { key: 'value', descending: false });
  assert.equal(nextSorting(nextSorting(first, 'value'), 'value'), null);
  assert.deepEqual(nextSorting(first, 'series'), { key: 'series', descending: false });
});
