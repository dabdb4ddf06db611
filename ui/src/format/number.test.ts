import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, formatCount, formatSI, formatTicks, parseSampleValue } from './number';

test('formatSI chooses the prefix', () => {
  const cases: Array<[number, string]> = [
    [0, '0'],
    [1, '1'],
    [999, '999'],
    [1000, '1k'],
    [1234567, '1.235M'],
    [-1500, '-1.5k'],
    [0.0042, '4.2m'],
    [0.0000042, '4.2µ'],
    [2.5e9, '2.5G'],
    [NaN, 'NaN'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [1e30, '1.00e+30'],
    [0.1 + 0.2, '300m'],
    [1e-30, '1.000e-30'],
  ];
  for (const [value, expected] of cases) assert.equal(formatSI(value), expected);
});

test('ticks of an axis share prefix and decimals', () => {
  const cases: Array<[number[], string[]]> = [
    [
      [0, 0.25, 0.5, 0.75],
      ['0', '250m', '500m', '750m'],
    ],
    [
      [0, 0.5, 1, 1.5],
      ['0', '0.5', '1.0', '1.5'],
    ],
    [
      [1.75, 2, 2.25],
      ['1.75', '2.00', '2.25'],
    ],
    [
      [0, 500, 1000, 1500],
      ['0', '0.5k', '1.0k', '1.5k'],
    ],
    [
      [0, 2e6, 4e6],
      ['0', '2M', '4M'],
    ],
    [
      [-20, 0, 20],
      ['-20', '0', '20'],
    ],
    [
      [1_000_000, 1_000_001, 1_000_002],
      ['1.000000M', '1.000001M', '1.000002M'],
    ],
    [[0], ['0']],
    [[], []],
  ];
  for (const [ticks, expected] of cases) assert.deepEqual(formatTicks(ticks), expected);
});

test('floating point dust on a tick near zero is zero', () => {
  assert.deepEqual(formatTicks([-0.1, -1e-17, 0.1]), ['-100m', '0', '100m']);
});

test('counts and bytes', () => {
  assert.equal(formatCount(1234567), '1,234,567');
  assert.equal(formatCount(NaN), '–');
  assert.equal(formatBytes(0), '0 B');
  assert.equal(formatBytes(1536), '1.5 KiB');
  assert.equal(formatBytes(5 * 1024 ** 3), '5 GiB');
});

test('sample values as the API writes them', () => {
  assert.equal(parseSampleValue('1.5e3'), 1500);
  assert.equal(parseSampleValue('+Inf'), Infinity);
  assert.equal(parseSampleValue('-Inf'), -Infinity);
  assert.ok(Number.isNaN(parseSampleValue('NaN')));
});
