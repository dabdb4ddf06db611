// Expressions that were run before, newest first, remembered by the browser.
import { readStored, writeStored } from '../settings';

const HISTORY_MAX = 100;

/** The list with `expr` at its head, without doubles and within bounds. */
export function withQuery(history: readonly string[], expr: string): string[] {
  const trimmed = expr.trim();
  if (trimmed === '') return [...history];
  return [trimmed, ...history.filter((past) => past !== trimmed)].slice(0, HISTORY_MAX);
}

/** The remembered expressions; whatever isn't a list of strings counts as none. */
export function parseHistory(stored: string | null): string[] {
  try {
    const parsed: unknown = JSON.parse(stored ?? '[]');
    return Array.isArray(parsed)
      ? parsed.filter((item): item is string => typeof item === 'string').slice(0, HISTORY_MAX)
      : [];
  } catch {
    return [];
  }
}

/** The expressions run before in this browser. */
export function pastQueries(): string[] {
  return parseHistory(readStored('history'));
}

/** Remembers an expression that was run. */
export function rememberQuery(expr: string): void {
  writeStored('history', JSON.stringify(withQuery(pastQueries(), expr)));
}

/** Forgets them all. */
export function forgetQueries(): void {
  writeStored('history', '[]');
}
