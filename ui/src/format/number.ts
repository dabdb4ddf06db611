// Numbers for reading: SI units on axes, grouped counts, bytes.

const SI: ReadonlyArray<readonly [number, string]> = [
  [1e24, 'Y'],
  [1e21, 'Z'],
  [1e18, 'E'],
  [1e15, 'P'],
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
  [1, ''],
  [1e-3, 'm'],
  [1e-6, 'µ'],
  [1e-9, 'n'],
  [1e-12, 'p'],
  [1e-15, 'f'],
  [1e-18, 'a'],
];

function siUnit(abs: number): readonly [number, string] {
  // Values a hair under a unit (0.9999999 of it, from floating point) belong to that unit.
  return SI.find(([size]) => abs >= size * 0.9999999) ?? [1, ''];
}

/** A value with an SI prefix and at most `digits` significant digits: 1234567 → `1.235M`. */
export function formatSI(value: number, digits = 4): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return '0';
  const abs = Math.abs(value);
  if (abs < 1e-18) return value.toExponential(digits - 1);
  const [size, prefix] = siUnit(abs);
  if (abs / size >= 1e4) return value.toExponential(Math.max(digits - 2, 0));
  return `${Number((value / size).toPrecision(digits))}${prefix}`;
}

/** Labels for the ticks of one axis: all with one prefix, and just enough decimals to tell neighbours apart. */
export function formatTicks(ticks: readonly number[]): string[] {
  const largest = Math.max(...ticks.map(Math.abs));
  if (ticks.length === 0 || largest === 0) return ticks.map(String);
  const [size, prefix] = siUnit(largest);
  const increment = ticks.length > 1 ? Math.abs((ticks[1] as number) - (ticks[0] as number)) : largest;
  const scaled = ticks.map((tick) => tick / size);
  const needed = decimalsOf(increment / size);
  return scaled.map((tick) => {
    const text = tick.toFixed(needed);
    return Number(text) === 0 ? '0' : `${text}${prefix}`;
  });
}

// Decimals that write an increment exactly: 5 → 0, 2.5 → 1, 0.25 → 2. Increments are round numbers; 12 bounds a crooked one.
function decimalsOf(increment: number): number {
  for (let decimals = 0; decimals < 12; decimals += 1) {
    if (Math.abs(Number(increment.toFixed(decimals)) - increment) <= increment * 1e-6) return decimals;
  }
  return 12;
}

/** An integer with thousands separated: 1234567 → `1,234,567`. */
export function formatCount(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '–';
}

/** Bytes with binary units: 1536 → `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  if (!Number.isFinite(bytes)) return '–';
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))} ${units[unit]}`;
}

/** A sample value as the API writes it (`"1.5"`, `"NaN"`, `"+Inf"`) as a number. */
export function parseSampleValue(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return Number(text);
}
