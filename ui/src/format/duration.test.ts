import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, formatSeconds, parseDuration } from './duration';

test('parseDuration reads what Prometheus reads, and plain seconds', () => {
  const cases: Array<[string, number | null]> = [
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1d', 86_400_000],
    ['2w', 14 * 86_400_000],
    ['1y', 365 * 86_400_000],
    ['1s500ms', 1500],
    ['15', 15_000],
    ['0.5', 500],
    [' 10s ', 10_000],
    ['0s', 0],
    ['', null],
    ['m', null],
    ['30m1h', null],
    ['1.5h', null],
    ['-5m', null],
    ['5 m', null],
    ['5min', null],
  ];
  for (const [text, expected] of cases) assert.equal(parseDuration(text), expected, text);
});

test('formatDuration writes what parseDuration reads back', () => {
  const cases: Array<[number, string]> = [
    [0, '0s'],
    [1500, '1s500ms'],
    [15_000, '15s'],
    [3_600_000, '1h'],
    [5_400_000, '1h30m'],
    [14 * 86_400_000, '2w'],
    [90 * 86_400_000, '90d'],
    [365 * 86_400_000, '1y'],
    [730 * 86_400_000, '2y'],
    [8 * 86_400_000, '8d'],
  ];
  for (const [ms, expected] of cases) {
    assert.equal(formatDuration(ms), expected);
    assert.equal(parseDuration(expected), ms);
  }
});

test('formatSeconds keeps two units at most', () => {
  const cases: Array<[number, string]> = [
    [0, '0 s'],
    [0.0000042, '4.2 µs'],
    [0.0042, '4.2 ms'],
    [0.12345, '123 ms'],
    [1.2345, '1.23 s'],
    [42.4, '42 s'],
    [60, '1 m'],
    [200, '3 m 20 s'],
    [3600, '1 h'],
    [7290, '2 h 1 m'],
    [190_000, '2 d 4 h'],
    [-75, '−1 m 15 s'],
    [NaN, '–'],
  ];
  for (const [seconds, expected] of cases) assert.equal(formatSeconds(seconds), expected);
});
