// Whether the globals of a pair hold the same, in words.
import type { Consistency } from '../api/types';
import type { Tone } from '../parts/status';

/** The verdict: both hold the same of what is complete at both, or they don't, or it isn't known. */
export function agreement({ agrees, peerError }: Pick<Consistency, 'agrees' | 'peerError'>): {
  tone: Tone;
  word: string;
} {
  if (peerError !== '') return { tone: 'warn', word: 'peer out of reach' };
  if (agrees === null) return { tone: 'none', word: 'nothing to compare yet' };
  return agrees ? { tone: 'good', word: 'both hold the same' } : { tone: 'bad', word: 'they differ' };
}

/** Where they differ, `null` where they don't. */
export function differing({ windows }: Pick<Consistency, 'windows'>): string | null {
  const different = windows.filter(({ agrees }) => !agrees);
  const first = different[0];
  const last = different[different.length - 1];
  if (!first || !last) return null;
  const time = (ms: number) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
  return `${different.length} of the last ${windows.length} minutes differ, between ${time(first.from)} and ${time(last.until)} UTC.`;
}
