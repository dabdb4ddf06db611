// What a person chose once and the browser remembers: theme, time zone, whether pages refresh themselves.
import type { Zone } from './format/time';
import { createStore, type Store } from './store';

/** `auto` follows the system. */
export type Theme = 'auto' | 'light' | 'dark';

/** Reads from local storage; null where storage is forbidden (private windows, embedded frames). */
export function readStored(key: string): string | null {
  try {
    return localStorage.getItem(`watershed.${key}`);
  } catch {
    return null;
  }
}

/** Writes to local storage where that is allowed; the setting then lasts for this page only. */
export function writeStored(key: string, value: string): void {
  try {
    localStorage.setItem(`watershed.${key}`, value);
  } catch {
    // Full or forbidden: nothing depends on it.
  }
}

function remembered<T extends string>(key: string, allowed: readonly T[], fallback: T): Store<T> {
  const stored = readStored(key);
  const store = createStore<T>(allowed.find((value) => value === stored) ?? fallback);
  store.subscribe(() => writeStored(key, store.get()));
  return store;
}

export const theme = remembered<Theme>('theme', ['auto', 'light', 'dark'], 'auto');
export const zone = remembered<Zone>('zone', ['utc', 'local'], 'utc');
export const refreshing = remembered<'on' | 'off'>('refresh', ['on', 'off'], 'on');

/** The theme in force now, with `auto` resolved. */
export const shownTheme = createStore<'light' | 'dark'>('light');

/** Keeps `<html data-theme>` and `shownTheme` in step with the choice and the system. */
export function applyTheme(): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const apply = (): void => {
    const choice = theme.get();
    const shown = choice === 'auto' ? (system.matches ? 'dark' : 'light') : choice;
    document.documentElement.dataset['theme'] = shown;
    shownTheme.set(shown);
  };
  system.addEventListener('change', apply);
  theme.subscribe(apply);
  apply();
}
