// Durations: Prometheus's grammar (what a person types into "range" and "step") and short forms for reading.

const UNITS: ReadonlyArray<readonly [string, number]> = [
  ['y', 365 * 86_400_000],
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

const GRAMMAR = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Milliseconds of a duration such as `1h30m`, or null if it isn't one. A plain number is seconds. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  const parts = GRAMMAR.exec(trimmed);
  if (!parts) return null;
  return UNITS.reduce((sum, [, ms], i) => sum + Number(parts[i + 1] ?? 0) * ms, 0);
}

/** A duration in Prometheus's grammar, exact to the millisecond; weeks only when nothing else remains, as Prometheus does. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  if (rest <= 0) return '0s';
  let out = '';
  for (const [unit, size] of UNITS) {
    // 90 days read better as 90d than as 12w6d.
    const exactOnly = unit === 'y' || unit === 'w';
    if (rest < size || (exactOnly && rest % size !== 0)) continue;
    out += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return out;
}

/** Seconds for reading: `4.2 ms`, `1.25 s`, `3 m 20 s`, `2 d 4 h`; two units at most. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const abs = Math.abs(seconds);
  const sign = seconds < 0 ? '−' : '';
  if (abs === 0) return '0 s';
  if (abs < 0.001) return `${sign}${significant(abs * 1e6)} µs`;
  if (abs < 1) return `${sign}${significant(abs * 1e3)} ms`;
  if (abs < 10) return `${sign}${significant(abs)} s`;
  return sign + wholeUnits(Math.round(abs));
}

function significant(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function wholeUnits(seconds: number): string {
  const units: ReadonlyArray<readonly [string, number]> = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  const [unit, size] = units[first] ?? ['s', 1];
  const whole = Math.floor(seconds / size);
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds % size) / next[1]) : 0;
  return next && rest > 0 ? `${whole} ${unit} ${rest} ${next[0]}` : `${whole} ${unit}`;
}
