// The list of the node's metrics: found by name or help, put into the editor by a click.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type ApiError, asApiError, isAbort, request } from '../api/client';
import { matchesFilter } from '../format/labels';
import { formatCount } from '../format/number';
import { ErrorBox } from '../parts/status';

/** One metric, with what its targets say about it. */
interface Metric {
  name: string;
  type: string;
  help: string;
}

type Metadata = Record<string, Array<{ type: string; help: string }>>;

/** More than this are not rendered; a person narrows the filter instead. */
const METRICS_SHOWN = 200;

async function load(signal: AbortSignal): Promise<Metric[]> {
  const [names, metadata] = await Promise.all([
    request<string[]>('label/__name__/values', { signal }),
    // Names alone are useful as well, so a node without metadata is no failure.
    request<Metadata>('metadata', { signal }).then(
      ({ data }) => data,
      (): Metadata => ({}),
    ),
  ]);
  return names.data.map((name) => {
    const own = metadata[name] ?? metadata[name.replace(/_(bucket|count|sum)$/, '')];
    return { name, type: own?.[0]?.type ?? '', help: own?.[0]?.help ?? '' };
  });
}

export function MetricsButton({ onPick }: { onPick(name: string): void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" class="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        Metrics
      </button>
      {open && <MetricsDialog onClose={() => setOpen(false)} onPick={onPick} />}
    </>
  );
}

function MetricsDialog({ onClose, onPick }: { onClose(): void; onPick(name: string): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [metrics, setMetrics] = useState<Metric[] | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [filter, setFilter] = useState('');
  useEffect(() => {
    dialog.current?.showModal();
    const controller = new AbortController();
    load(controller.signal).then(setMetrics, (thrown: unknown) => {
      if (!isAbort(thrown)) setError(asApiError(thrown));
    });
    return () => controller.abort();
  }, []);
  const matching = useMemo(
    () => (metrics ?? []).filter(({ name, help, type }) => matchesFilter(filter, [name, help, type])),
    [metrics, filter],
  );
  const pick = (name: string): void => {
    // Closed first: the page behind a modal dialog can't take the keyboard.
    dialog.current?.close();
    onPick(name);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const items = [...(dialog.current?.querySelectorAll<HTMLElement>('.filter, .menu-item') ?? [])];
    items[
      Math.min(Math.max(items.indexOf(document.activeElement as HTMLElement) + move, 0), items.length - 1)
    ]?.focus();
  };
  return (
    <dialog
      ref={dialog}
      class="help metrics"
      aria-label="Metrics"
      onClose={onClose}
      onKeyDown={onKeyDown}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div class="metrics-body">
        <form
          class="metrics-head"
          onSubmit={(event) => {
            event.preventDefault();
            const first = matching[0];
            if (first) pick(first.name);
          }}
        >
          <input
            class="filter"
            type="search"
            placeholder="Find a metric by name, type or help"
            aria-label="Find a metric"
            value={filter}
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
          <span class="muted" role="status">
            {metrics && `${formatCount(matching.length)} of ${formatCount(metrics.length)}`}
          </span>
          <button type="button" class="button quiet" onClick={onClose}>
            Close
          </button>
        </form>
        {error && <ErrorBox title="The metrics could not be read." error={error} />}
        <div class="metrics-list">
          {metrics && matching.length === 0 && (
            <p class="menu-empty">{metrics.length === 0 ? 'This node holds no series yet.' : 'No metric matches.'}</p>
          )}
          {matching.slice(0, METRICS_SHOWN).map(({ name, type, help }) => (
            <button type="button" class="menu-item metric" key={name} onClick={() => pick(name)}>
              <code class="series-metric">{name}</code> {type && type !== 'unknown' && <span class="kind">{type}</span>}
              {help && <span class="metric-help">{help}</span>}
            </button>
          ))}
          {matching.length > METRICS_SHOWN && (
            <p class="menu-empty">{formatCount(matching.length - METRICS_SHOWN)} more: narrow the filter.</p>
          )}
        </div>
      </div>
    </dialog>
  );
}
