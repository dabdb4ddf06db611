// Small marks of state: badges, banners, empty states, relative times.
import type { ComponentChildren } from 'preact';
import type { ApiError } from '../api/client';
import type { Polled } from '../api/poll';
import { useNow } from '../clock';
import { formatRelative, formatTime, parseRFC3339 } from '../format/time';
import { zone } from '../settings';
import { useStore } from '../store';

/** How good something is; never shown by colour alone. */
export type Tone = 'good' | 'warn' | 'bad' | 'none' | 'info';

const TONES: Readonly<Record<string, Tone>> = {
  up: 'good',
  serving: 'good',
  joining: 'warn',
  silent: 'bad',
  ok: 'good',
  inactive: 'good',
  pending: 'warn',
  firing: 'bad',
  down: 'bad',
  err: 'bad',
  unknown: 'none',
};

/** The tone of a state the API names. */
export function toneOf(state: string): Tone {
  return TONES[state] ?? 'none';
}

/** A state in a word, with its colour and a shape beside it. */
export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`badge tone-${tone}`}>
      <span class="badge-mark" aria-hidden="true" />
      {children}
    </span>
  );
}

/** The absolute time of an instant in the chosen zone. */
export function useTimeText(ms: number | null): string {
  const shownZone = useStore(zone);
  return ms === null ? 'never' : `${formatTime(ms, shownZone, true)} ${shownZone === 'utc' ? 'UTC' : 'local time'}`;
}

/** How long ago something was; the exact time on hover. */
export function Ago({ time, never = 'never' }: { time: string | number | undefined | null; never?: string }) {
  const ms = typeof time === 'number' ? time : parseRFC3339(time);
  const now = useNow();
  const absolute = useTimeText(ms);
  if (ms === null) return <span class="muted">{never}</span>;
  return (
    <time class="ago" dateTime={new Date(ms).toISOString()} title={absolute}>
      {formatRelative(ms, now)}
    </time>
  );
}

/** An error in full, in its place. */
export function ErrorBox({ title, error }: { title: string; error: ApiError }) {
  return (
    <div class="banner tone-bad" role="alert" data-testid="error-banner">
      <strong>{title}</strong> <code class="error-type">{error.type}</code>
      <div class="error-text">{error.message}</div>
    </div>
  );
}

/** Something the node had to say about a good answer. */
export function Notice({ tone, title, children }: { tone: Tone; title?: string; children: ComponentChildren }) {
  return (
    <div class={`banner tone-${tone}`} role="status">
      {title && <strong>{title} </strong>}
      {children}
    </div>
  );
}

/** Nothing to show, and why. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty" data-testid="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** The frame of a polled page: the last data, above it what is wrong with the latest request, or what is being waited for. */
export function Loaded<T>({ polled, children }: { polled: Polled<T>; children: (data: T) => ComponentChildren }) {
  const { data, error } = polled;
  return (
    <>
      {error && <ConnectionBanner error={error} at={polled.at} />}
      {data !== undefined
        ? children(data)
        : !error && (
            <p class="waiting" role="status">
              Loading…
            </p>
          )}
    </>
  );
}

function ConnectionBanner({ error, at }: { error: ApiError; at: number }) {
  return (
    <div class="banner tone-bad" role="alert" data-testid="error-banner">
      <strong>{error.unreachable ? 'Can’t reach the node.' : 'The node refused the request.'}</strong>{' '}
      <code class="error-type">{error.type}</code>
      <div class="error-text">{error.message}</div>
      {at > 0 && (
        <div>
          What you see is from <Ago time={at} />.
        </div>
      )}
    </div>
  );
}
