// Instants: absolute in a chosen zone, relative to now, and read back from what a person typed.
import { formatSeconds, parseDuration } from './duration';

/** How absolute times are shown and read. */
export type Zone = 'utc' | 'local';

interface Fields {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

function fieldsOf(ms: number, zone: Zone): Fields {
  const date = new Date(ms);
  return zone === 'utc'
    ? {
        year: date.getUTCFullYear(),
        month: date.getUTCMonth() + 1,
        day: date.getUTCDate(),
        hour: date.getUTCHours(),
        minute: date.getUTCMinutes(),
        second: date.getUTCSeconds(),
      }
    : {
        year: date.getFullYear(),
        month: date.getMonth() + 1,
        day: date.getDate(),
        hour: date.getHours(),
        minute: date.getMinutes(),
        second: date.getSeconds(),
      };
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, '0');
}

/** `2026-11-21 02:20:00`, with `.123` when asked for and not zero. */
export function formatTime(ms: number, zone: Zone, milliseconds = false): string {
  if (!Number.isFinite(ms)) return '–';
  const f = fieldsOf(ms, zone);
  const fraction = ((Math.round(ms) % 1000) + 1000) % 1000;
  const tail = milliseconds && fraction !== 0 ? `.${pad(fraction, 3)}` : '';
  return `${pad(f.year, 4)}-${pad(f.month)}-${pad(f.day)} ${pad(f.hour)}:${pad(f.minute)}:${pad(f.second)}${tail}`;
}

const ABSOLUTE = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?)?(Z|[+-]\d{2}:\d{2})?$/;

/**
 * Milliseconds of a time a person typed: `2026-11-21 02:20[:00[.123]]` in `zone` (or with `Z` or an offset of its own),
 * a Unix time in seconds, `now`, or `now-90m`. Null if it is none of these.
 */
export function parseTime(text: string, zone: Zone, nowMs: number): number | null {
  const trimmed = text.trim();
  const relative = /^now(?:\s*([-+])\s*(\S+))?$/.exec(trimmed);
  if (relative) {
    if (!relative[2]) return nowMs;
    const offset = parseDuration(relative[2]);
    return offset === null ? null : nowMs + (relative[1] === '-' ? -offset : offset);
  }
  if (/^\d{9,11}(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  const parts = ABSOLUTE.exec(trimmed);
  return parts ? fromParts(parts, zone) : null;
}

function fromParts(parts: RegExpExecArray, zone: Zone): number | null {
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const millisecond = Number((parts[7] ?? '0').padEnd(3, '0'));
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, millisecond);
  // Date rolls 30 February over into March; that is a typing error here.
  const check = fieldsOf(utc, 'utc');
  if (check.month !== month || check.day !== day || check.hour !== hour || check.minute !== minute) return null;
  const offset = parts[8];
  if (offset === 'Z' || (!offset && zone === 'utc')) return utc;
  if (offset) {
    const sign = offset.startsWith('-') ? -1 : 1;
    return utc - sign * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6))) * 60_000;
  }
  return new Date(year, month - 1, day, hour, minute, second, millisecond).getTime();
}

/** Milliseconds of an RFC 3339 time from the API, or null for an empty one and for Go's zero time (year 1). */
export function parseRFC3339(text: string | undefined | null): number | null {
  if (!text) return null;
  const ms = Date.parse(text);
  return Number.isNaN(ms) || ms < 0 ? null : ms;
}

/** `just now`, `12 s ago`, `3 m 4 s ago`, or `in 2 s`. */
export function formatRelative(ms: number, nowMs: number): string {
  const seconds = Math.round((nowMs - ms) / 1000);
  if (seconds === 0) return 'just now';
  return seconds > 0 ? `${formatSeconds(seconds)} ago` : `in ${formatSeconds(-seconds)}`;
}

/** Labels for the ticks of a time axis; the date stands under the first tick and under each tick that begins a day. */
export function formatTimeTicks(ticksMs: readonly number[], zone: Zone): string[] {
  const increment = ticksMs.length > 1 ? (ticksMs[1] as number) - (ticksMs[0] as number) : 60_000;
  let lastDay = '';
  return ticksMs.map((tick) => {
    const full = formatTime(tick, zone);
    const day = full.slice(0, 10);
    if (increment >= 86_400_000) return day;
    const clock = increment < 60_000 ? full.slice(11, 19) : full.slice(11, 16);
    const label = day === lastDay ? clock : `${clock}\n${day}`;
    lastDay = day;
    return label;
  });
}
