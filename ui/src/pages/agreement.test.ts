import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agreement, differing } from './agreement';

test('the verdict is of what could be compared', () => {
  assert.equal(agreement({ agrees: true, peerError: '' }).tone, 'good');
  assert.equal(agreement({ agrees: false, peerError: '' }).tone, 'bad');
  assert.equal(agreement({ agrees: null, peerError: '' }).tone, 'none');
  assert.equal(agreement({ agrees: true, peerError: 'no route' }).word, 'peer out of reach');
});

test('says which minutes differ', () => {
  const window = (minute: number, agrees: boolean) => ({ from: minute * 60_000, until: (minute + 1) * 60_000, agrees });
  assert.equal(differing({ windows: [window(1, true), window(2, true)] }), null);
  assert.equal(
    differing({ windows: [window(1, false), window(2, true), window(3, false)] }),
    '2 of the last 3 minutes differ, between 1970-01-01 00:01 and 1970-01-01 00:04 UTC.',
  );
});
