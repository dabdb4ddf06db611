import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExplainedNode } from '../api/types';
import { formatShare, toCostRows } from './cost';

function node(text: string, selfSeconds: number, children: ExplainedNode[] = []): ExplainedNode {
  const totalSeconds = children.reduce((sum, child) => sum + child.totalSeconds, selfSeconds);
  return { node: 'call', text, series: 1, samples: 0, points: 1, selfSeconds, totalSeconds, children };
}

test('rows come in the order in which the expression is written, with depths and shares', () => {
  const root = node('/', 1, [node('sum', 1, [node('a', 5)]), node('b', 3)]);
  assert.deepEqual(
    toCostRows(root).map(({ node: { text }, depth, ownShare, totalShare, expensive }) => [
      text,
      depth,
      ownShare,
      totalShare,
      expensive,
    ]),
    [
      ['/', 0, 0.1, 1, false],
      ['sum', 1, 0.1, 0.6, false],
      ['a', 2, 0.5, 0.5, true],
      ['b', 1, 0.3, 0.3, true],
    ],
  );
});

test('a part alone is not expensive, nor is one of a quick query, and nothing has no share', () => {
  assert.deepEqual(
    toCostRows(node('sum', 1e-5, [node('up', 2e-5)])).map((row) => row.expensive),
    [false, false],
  );
  assert.deepEqual(
    toCostRows(node('up', 2)).map((row) => [row.ownShare, row.expensive]),
    [[1, false]],
  );
  assert.deepEqual(
    toCostRows(node('1 + 1', 0, [node('1', 0)])).map((row) => [row.ownShare, row.totalShare]),
    [
      [0, 0],
      [0, 0],
    ],
  );
});

test('a long chain of operators is no harder than a short one', () => {
  let chain = node('leaf', 1);
  for (let i = 0; i < 20_000; i += 1) chain = node(`+ ${i}`, 0, [chain]);
  const rows = toCostRows(chain);
  assert.equal(rows.length, 20_001);
  assert.equal(rows[20_000]?.depth, 20_000);
});

test('shares are for reading', () => {
  assert.deepEqual([0, 0.004, 0.006, 0.384, 1].map(formatShare), ['0%', '<1%', '1%', '38%', '100%']);
});
