import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWebAddress } from './links';

test('only absolute http and https addresses become links', () => {
  const cases: Array<[string, boolean]> = [
    ['http://a:9100/metrics', true],
    ['https://example.org/runbook?x=1#y', true],
    ['HTTP://A/', true],
    ['javascript:alert(1)', false],
    ['data:text/html,x', false],
    ['/metrics', false],
    ['see https://example.org', false],
    ['http://', false],
    ['', false],
  ];
  for (const [text, expected] of cases) assert.equal(isWebAddress(text), expected, text);
});
