import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseGrid, chooseStep, longerRange, shorterRange } from './resolution';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test('the step is round and yields at most 300 points', () => {
  const cases: Array<[number, number]> = [
    [MINUTE, 1000],
    [10 * MINUTE, 2000],
    [HOUR, 15_000],
    [6 * HOUR, 2 * MINUTE],
    [DAY, 5 * MINUTE],
    [7 * DAY, HOUR],
    [730 * DAY, 7 * DAY],
    [10_000 * DAY, 34 * DAY],
  ];
  for (const [range, step] of cases) {
    assert.equal(chooseStep(range), step);
    assert.ok(range / step <= 300);
  }
});

test('both ends of the grid lie on multiples of the step, and a moment later they are the same', () => {
  const end = Date.UTC(2026, 10, 21, 2, 20, 7);
  const grid = chooseGrid(HOUR, end, null);
  assert.deepEqual(grid, {
    startMs: Date.UTC(2026, 10, 21, 1, 20),
    endMs: Date.UTC(2026, 10, 21, 2, 20),
    stepMs: 15_000,
  });
  assert.deepEqual(chooseGrid(HOUR, end + 3000, null), grid);
  assert.equal(chooseGrid(HOUR, end, 60_000).stepMs, 60_000);
});

test('zoom steps through the usual ranges and stops at their ends', () => {
  assert.equal(longerRange(HOUR), 2 * HOUR);
  assert.equal(longerRange(90 * MINUTE), 2 * HOUR);
  assert.equal(shorterRange(90 * MINUTE), HOUR);
  assert.equal(shorterRange(MINUTE), MINUTE);
  assert.equal(longerRange(730 * DAY), 730 * DAY);
});
