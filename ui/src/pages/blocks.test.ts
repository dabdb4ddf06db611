import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Block } from '../api/types';
import { blockSpan, lanes, newestFirst, totalBytes } from './blocks';
import { freshness } from './freshness';

function block(
  ulid: string,
  minTime: number,
  maxTime: number,
  labels: Record<string, string> = {},
  resolution = 0,
): Block {
  return { ulid, minTime, maxTime, series: 1, samples: 1, bytes: 10, resolution, labels };
}

test('span, size and order', () => {
  const blocks = [block('b', 20, 40), block('a', 0, 20), block('c', 30, 40)];
  assert.deepEqual(blockSpan(blocks), { minTime: 0, maxTime: 40 });
  assert.equal(blockSpan([]), null);
  assert.equal(totalBytes(blocks), 30);
  assert.deepEqual(
    newestFirst(blocks).map(({ ulid }) => ulid),
    ['c', 'b', 'a'],
  );
});

test('adjacent blocks share a lane, overlapping ones do not', () => {
  const found = lanes([block('b', 20, 40), block('a', 0, 20), block('c', 30, 40)]);
  assert.deepEqual(
    found.map((lane) => lane.blocks.map(({ ulid }) => ulid)),
    [['a', 'b'], ['c']],
  );
  assert.deepEqual(
    found.map(({ title }) => title),
    ['', ''],
  );
});

test('a lane is named by what sets it apart', () => {
  const found = lanes([
    block('a', 0, 20, { tier: 'global', replica: 'a' }),
    block('b', 0, 20, { tier: 'global', replica: 'b' }),
    block('c', 20, 40, { tier: 'global', replica: 'a' }, 300_000),
  ]);
  assert.deepEqual(
    found.map(({ title }) => title),
    ['replica=a', 'replica=a, resolution=5m', 'replica=b'],
  );
});

test('freshness against its bounds', () => {
  const cases: Array<[number | null, string]> = [
    [null, 'unknown'],
    [0, 'fresh'],
    [30, 'fresh'],
    [30.1, 'late'],
    [120, 'late'],
    [121, 'stale'],
  ];
  for (const [age, word] of cases) assert.equal(freshness(age).word, word);
});
