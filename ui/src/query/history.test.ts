import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHistory, withQuery } from './history';

test('the newest query comes first, once, within bounds', () => {
  assert.deepEqual(withQuery(['a', 'b', 'c'], ' b '), ['b', 'a', 'c']);
  assert.deepEqual(withQuery(['a'], '  '), ['a']);
  const full = Array.from({ length: 100 }, (_, i) => String(i));
  assert.equal(withQuery(full, 'new').length, 100);
});

test('damaged storage counts as no history', () => {
  for (const stored of [null, '', '{', '{"a":1}', '7']) assert.deepEqual(parseHistory(stored), []);
  assert.deepEqual(parseHistory('["a", 1, "b"]'), ['a', 'b']);
});
