// Data that a page keeps fresh: asked for again and again, the last good answer kept while the node is away.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { refreshing } from '../settings';
import { useStore } from '../store';
import { ApiError, asApiError, isAbort, request } from './client';

/** How often pages ask again, in milliseconds. */
export const REFRESH_MS = 5000;

/** What is known of one endpoint. */
export interface Polled<T> {
  /** The last good answer, however old. */
  data: T | undefined;
  /** When it came, in milliseconds since the epoch. */
  at: number;
  /** Why the latest request failed, if it did. */
  error: ApiError | undefined;
  refresh(): void;
}

interface Remembered {
  data: unknown;
  at: number;
}

// Answers outlive their page, so that coming back to it shows the last state at once instead of an empty frame.
const lastAnswers = new Map<string, Remembered>();

/**
 * Follows `api/v1/<path>`. A new request starts `REFRESH_MS` after the previous one ended (never two at a time), not while the
 * page is hidden, and not while refreshing is paused; `once` asks a single time.
 */
export function usePoll<T>(path: string, once = false): Polled<T> {
  const running = useStore(refreshing) === 'on' && !once;
  const [state, setState] = useState<{ path: string; error: ApiError | undefined }>({ path, error: undefined });
  const [asked, setAsked] = useState(0);
  const answered = useRef('');

  useEffect(() => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wanted = `${path} ${asked}`;
    const ask = async (): Promise<void> => {
      let error: ApiError | undefined;
      try {
        const answer = await request<T>(path, { signal: controller.signal });
        lastAnswers.set(path, { data: answer.data, at: Date.now() });
      } catch (thrown) {
        if (isAbort(thrown)) return;
        error = asApiError(thrown);
      }
      if (controller.signal.aborted) return;
      answered.current = wanted;
      setState({ path, error });
      if (running) timer = setTimeout(next, REFRESH_MS);
    };
    const next = (): void => {
      if (document.hidden) timer = setTimeout(next, 500);
      else void ask();
    };
    // Pausing or resuming restarts the effect; only a new path or a wish to refresh asks at once.
    if (running || answered.current !== wanted) void ask();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [path, running, asked]);

  const refresh = useCallback(() => setAsked((n) => n + 1), []);
  const last = lastAnswers.get(path);
  return {
    data: last?.data as T | undefined,
    at: last?.at ?? 0,
    error: state.path === path ? state.error : undefined,
    refresh,
  };
}
