// Controls that the pages share: the filter field, toggles, the bar that says how fresh the page is, folds.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Polled } from '../api/poll';
import { formatCount } from '../format/number';
import { refreshing } from '../settings';
import { useStore } from '../store';
import { Ago } from './status';

/** A text filter; `/` puts the cursor into it, Escape empties and leaves it. */
export function FilterField(props: { value: string; label: string; onChange(text: string): void }) {
  return (
    <input
      class="filter"
      type="search"
      data-slash-focus
      placeholder={props.label}
      aria-label={props.label}
      value={props.value}
      spellcheck={false}
      autocomplete="off"
      onInput={(event) => props.onChange(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        if (props.value !== '') props.onChange('');
        else event.currentTarget.blur();
      }}
    />
  );
}

/** One state that can be shown or hidden. */
export interface Choice {
  id: string;
  label: string;
  count: number;
  tone: string;
}

/** Toggles with counts; all off means that nothing is hidden. */
export function Toggles(props: {
  label: string;
  choices: readonly Choice[];
  chosen: ReadonlySet<string>;
  onToggle(id: string): void;
}) {
  return (
    <div class="toggles" role="group" aria-label={props.label}>
      {props.choices.map(({ id, label, count, tone }) => (
        <button
          type="button"
          key={id}
          class={`toggle tone-${tone}`}
          aria-pressed={props.chosen.has(id)}
          onClick={() => props.onToggle(id)}
        >
          <span class="badge-mark" aria-hidden="true" />
          {label} <span class="toggle-count">{formatCount(count)}</span>
        </button>
      ))}
    </div>
  );
}

/** The set with `id` put in or taken out. */
export function toggled(set: ReadonlySet<string>, id: string): Set<string> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
}

/** When the page's data came, and whether more is asked for by itself. */
export function Freshness({ polled }: { polled: Polled<unknown> }) {
  const running = useStore(refreshing) === 'on';
  return (
    <div class="freshness">
      {polled.at > 0 && (
        <span class="muted">
          Updated <Ago time={polled.at} />
        </span>
      )}
      <button type="button" class="button quiet" data-refresh onClick={polled.refresh} title="Refresh now (r)">
        Refresh
      </button>
      <button
        type="button"
        class="button quiet"
        aria-pressed={!running}
        title="Refreshing every 5 seconds (p)"
        data-pause
        onClick={() => refreshing.set(running ? 'off' : 'on')}
      >
        {running ? 'Pause' : 'Paused'}
      </button>
    </div>
  );
}

// What is folded open survives a refresh of the data and a visit to another page.
const openFolds = new Map<string, boolean>();

/** Whether the fold named `key` is open, and a way to turn it. */
export function useFold(key: string, initially = false): [boolean, () => void] {
  const [, render] = useState(0);
  const open = openFolds.get(key) ?? initially;
  return [
    open,
    () => {
      openFolds.set(key, !open);
      render((n) => n + 1);
    },
  ];
}

/** The button that opens and closes a fold. */
export function FoldButton(props: {
  open: boolean;
  controls: string;
  onClick(): void;
  children: ComponentChildren;
  class?: string;
}) {
  return (
    <button
      type="button"
      class={`fold ${props.class ?? ''}`}
      aria-expanded={props.open}
      aria-controls={props.controls}
      onClick={props.onClick}
    >
      <span class="fold-mark" aria-hidden="true" />
      {props.children}
    </button>
  );
}

/** A key as printed on the keyboard. */
export function Key({ children }: { children: string }) {
  return <kbd>{children}</kbd>;
}

/** A list cut at `limit` until a person wants all of it. */
export function useLimit<T>(
  items: readonly T[],
  limit: number,
): { shown: readonly T[]; rest: number; showAll(): void } {
  const [all, setAll] = useState(false);
  const shown = all || items.length <= limit ? items : items.slice(0, limit);
  return { shown, rest: items.length - shown.length, showAll: () => setAll(true) };
}

/** Rule groups rendered before a person asks for the rest. */
export const GROUPS_SHOWN = 30;

/** How many things of a list are left out, and a way to see them. */
export function More({ rest, what = 'more', onAll }: { rest: number; what?: string; onAll(): void }) {
  if (rest <= 0) return null;
  return (
    <p class="more">
      {formatCount(rest)} {what}.{' '}
      <button type="button" class="button" onClick={onAll}>
        Show all
      </button>
    </p>
  );
}
