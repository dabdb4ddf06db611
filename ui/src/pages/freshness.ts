// How old the newest sample of a replica may be.
import type { Tone } from '../parts/status';

const FRESH_SECONDS = 30;
const LATE_SECONDS = 120;

/** The age of a replica's newest sample in a word: `fresh` up to 30 s, `late` up to 2 minutes, `stale` beyond. */
export function freshness(ageSeconds: number | null): { tone: Tone; word: string } {
  if (ageSeconds === null) return { tone: 'none', word: 'unknown' };
  if (ageSeconds <= FRESH_SECONDS) return { tone: 'good', word: 'fresh' };
  if (ageSeconds <= LATE_SECONDS) return { tone: 'warn', word: 'late' };
  return { tone: 'bad', word: 'stale' };
}
