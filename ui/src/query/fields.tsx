// The fields that choose times: a duration with zoom buttons, an instant with step buttons and a calendar.
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatDuration, parseDuration } from '../format/duration';
import { formatTime, parseTime } from '../format/time';
import { zone } from '../settings';
import { useStore } from '../store';

interface TextFieldProps {
  label: string;
  value: string;
  placeholder?: string;
  width: string;
  /** Takes the typed text; false if it can't be read, and the field is marked. */
  onCommit(text: string): boolean;
}

// A text field that commits on Enter and on leaving it, and goes back to the last good value on Escape.
function TextField({ label, value, placeholder, width, onCommit }: TextFieldProps) {
  const [draft, setDraft] = useState(value);
  const [wrong, setWrong] = useState(false);
  useEffect(() => {
    setDraft(value);
    setWrong(false);
  }, [value]);
  const commit = (): void => {
    if (draft.trim() !== value) setWrong(!onCommit(draft.trim()));
    else setWrong(false);
  };
  return (
    <input
      class="field"
      type="text"
      style={{ width }}
      aria-label={label}
      aria-invalid={wrong}
      placeholder={placeholder ?? ''}
      value={draft}
      spellcheck={false}
      autocomplete="off"
      onInput={(event) => setDraft(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => {
        if (event.key === 'Enter') commit();
        if (event.key === 'Escape') {
          setDraft(value);
          setWrong(false);
        }
      }}
    />
  );
}

/** The range of a graph, with a shorter and a longer one at its sides. */
export function RangeField(props: { rangeMs: number; onChange(ms: number): void; shorter(): void; longer(): void }) {
  return (
    <span class="field-group" role="group" aria-label="Range">
      <button
        type="button"
        class="button step"
        aria-label="Shorter range"
        title="Shorter range"
        onClick={props.shorter}
      >
        −
      </button>
      <TextField
        label="Range"
        width="5.5em"
        value={formatDuration(props.rangeMs)}
        onCommit={(text) => {
          const ms = parseDuration(text);
          if (ms === null || ms <= 0) return false;
          props.onChange(ms);
          return true;
        }}
      />
      <button type="button" class="button step" aria-label="Longer range" title="Longer range" onClick={props.longer}>
        +
      </button>
    </span>
  );
}

/** The step of a graph; empty chooses it by the range. */
export function StepField(props: { stepMs: number | null; autoMs: number; onChange(ms: number | null): void }) {
  return (
    <TextField
      label="Step"
      width="7em"
      placeholder={`step: ${formatDuration(props.autoMs)}`}
      value={props.stepMs === null ? '' : formatDuration(props.stepMs)}
      onCommit={(text) => {
        const ms = text === '' ? null : parseDuration(text);
        if (text !== '' && (ms === null || ms <= 0)) return false;
        props.onChange(ms);
        return true;
      }}
    />
  );
}

/** An instant; empty is now. The buttons at its sides move it by `stepMs`. */
export function TimeField(props: {
  label: string;
  timeMs: number | null;
  stepMs: number;
  placeholder: string;
  onChange(ms: number | null): void;
}) {
  const shownZone = useStore(zone);
  const move = (ms: number): void => {
    const next = (props.timeMs ?? Math.floor(Date.now() / 1000) * 1000) + ms;
    // Stepping past the present means following it again.
    props.onChange(next >= Date.now() ? null : next);
  };
  return (
    <span class="field-group" role="group" aria-label={props.label}>
      <button
        type="button"
        class="button step"
        aria-label={`${props.label}: earlier`}
        title="Earlier"
        onClick={() => move(-props.stepMs)}
      >
        ‹
      </button>
      <TextField
        label={`${props.label} (${shownZone === 'utc' ? 'UTC' : 'local'} time, or now-1h)`}
        width="13em"
        placeholder={props.placeholder}
        value={props.timeMs === null ? '' : formatTime(props.timeMs, shownZone, true)}
        onCommit={(text) => {
          const ms = text === '' || text === 'now' ? null : parseTime(text, shownZone, Date.now());
          if (ms === null && text !== '' && text !== 'now') return false;
          props.onChange(ms);
          return true;
        }}
      />
      <Calendar label={props.label} timeMs={props.timeMs} onChange={props.onChange} />
      {props.timeMs !== null && (
        <button
          type="button"
          class="button step"
          aria-label={`${props.label}: back to now`}
          title="Back to now"
          onClick={() => props.onChange(null)}
        >
          ×
        </button>
      )}
      <button
        type="button"
        class="button step"
        aria-label={`${props.label}: later`}
        title="Later"
        disabled={props.timeMs === null}
        onClick={() => move(props.stepMs)}
      >
        ›
      </button>
    </span>
  );
}

// The browser's own date picker, behind a button; its input stays out of sight.
function Calendar({
  label,
  timeMs,
  onChange,
}: {
  label: string;
  timeMs: number | null;
  onChange(ms: number | null): void;
}) {
  const shownZone = useStore(zone);
  const input = useRef<HTMLInputElement>(null);
  return (
    <span class="calendar">
      <button
        type="button"
        class="button step"
        aria-label={`${label}: pick a date`}
        title="Pick a date"
        onClick={() => {
          if (!input.current) return;
          input.current.value = formatTime(timeMs ?? Date.now(), shownZone).replace(' ', 'T');
          input.current.showPicker();
        }}
      >
        <svg
          width="13"
          height="13"
          viewBox="0 0 16 16"
          aria-hidden="true"
          fill="none"
          stroke="currentColor"
          stroke-width="1.5"
        >
          <rect x="2" y="3" width="12" height="11" rx="1.5" />
          <path d="M2 6.5h12M5 1.5v3M11 1.5v3" />
        </svg>
      </button>
      <input
        ref={input}
        type="datetime-local"
        step="1"
        tabIndex={-1}
        aria-hidden="true"
        onChange={(event) => {
          const ms = parseTime(event.currentTarget.value, shownZone, Date.now());
          if (ms !== null) onChange(ms);
        }}
      />
    </span>
  );
}
