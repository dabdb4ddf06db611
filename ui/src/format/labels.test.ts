import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterTexts, type Labels, matchesFilter, seriesName } from './labels';

test('seriesName writes a selector', () => {
  const cases: Array<[Labels, string]> = [
    [{ __name__: 'up' }, 'up'],
    [{ __name__: 'up', job: 'node', instance: 'a:9100' }, 'up{instance="a:9100", job="node"}'],
    [{ job: 'node' }, '{job="node"}'],
    [{}, '{}'],
    [{ __name__: 'job:up:sum', path: 'C:\\x "y"\n' }, 'job:up:sum{path="C:\\\\x \\"y\\"\\n"}'],
    [{ __name__: 'http.requests', 'k8s.pod': 'a' }, '{"http.requests", "k8s.pod"="a"}'],
  ];
  for (const [labels, expected] of cases) assert.equal(seriesName(labels), expected);
});

test('a filter matches when all its words occur', () => {
  const texts = ['InstanceDown', ...filterTexts({ severity: 'critical', team: 'platform' })];
  const cases: Array<[string, boolean]> = [
    ['', true],
    ['  ', true],
    ['instancedown', true],
    ['down critical', true],
    ['severity=critical', true],
    ['severity="critical"', true],
    ['team=p', true],
    ['down warning', false],
  ];
  for (const [filter, expected] of cases) assert.equal(matchesFilter(filter, texts), expected, filter);
});
