import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatRelative, formatTime, formatTimeTicks, parseRFC3339, parseTime } from './time';

const AT = Date.UTC(2026, 10, 21, 2, 20, 5, 120);

test('formatTime in UTC', () => {
  assert.equal(formatTime(AT, 'utc'), '2026-11-21 02:20:05');
  assert.equal(formatTime(AT, 'utc', true), '2026-11-21 02:20:05.120');
  assert.equal(formatTime(AT - 120, 'utc', true), '2026-11-21 02:20:05');
  assert.equal(formatTime(NaN, 'utc'), '–');
});

test('local time reads back what it wrote', () => {
  assert.equal(parseTime(formatTime(AT, 'local', true), 'local', 0), AT);
});

test('parseTime reads absolute, relative and Unix times', () => {
  const now = AT;
  const cases: Array<[string, number | null]> = [
    ['2026-11-21 02:20:05.120', AT],
    ['2026-11-21T02:20:05.12Z', AT],
    ['2026-11-21 04:20:05.120+02:00', AT],
    ['2026-11-21', Date.UTC(2026, 10, 21)],
    ['2026-11-21 02:20', Date.UTC(2026, 10, 21, 2, 20)],
    ['now', now],
    ['now-90m', now - 5_400_000],
    ['now - 1h', now - 3_600_000],
    ['now+5m', now + 300_000],
    ['1763691605', 1_763_691_605_000],
    ['1763691605.5', 1_763_691_605_500],
    ['', null],
    ['yesterday', null],
    ['2026-02-30', null],
    ['2026-13-01', null],
    ['2026-11-21 25:00', null],
    ['now-', null],
    ['12', null],
  ];
  for (const [text, expected] of cases) assert.equal(parseTime(text, 'utc', now), expected, text);
});

test("RFC 3339 times, with Go's zero time as none", () => {
  assert.equal(parseRFC3339('2026-11-21T02:20:05.120Z'), AT);
  assert.equal(parseRFC3339('2026-11-21T02:20:05.120123456Z'), AT);
  for (const none of ['0001-01-01T00:00:00Z', '', undefined, null, 'soon']) assert.equal(parseRFC3339(none), null);
});

test('formatRelative', () => {
  assert.equal(formatRelative(AT, AT + 400), 'just now');
  assert.equal(formatRelative(AT, AT + 12_000), '12 s ago');
  assert.equal(formatRelative(AT, AT + 184_000), '3 m 4 s ago');
  assert.equal(formatRelative(AT + 2000, AT), 'in 2 s');
});

test('the date stands under the first tick and where a day begins', () => {
  const hour = 3_600_000;
  const start = Date.UTC(2026, 10, 20, 23);
  assert.deepEqual(formatTimeTicks([start, start + hour, start + 2 * hour], 'utc'), [
    '23:00\n2026-11-20',
    '00:00\n2026-11-21',
    '01:00',
  ]);
  assert.deepEqual(formatTimeTicks([start, start + 15_000], 'utc'), ['23:00:00\n2026-11-20', '23:00:15']);
  assert.deepEqual(formatTimeTicks([start, start + 24 * hour], 'utc'), ['2026-11-20', '2026-11-21']);
});
