// A range query's result as curves with a legend.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { formatCount } from '../format/number';
import { Series } from '../parts/series';
import { Notice } from '../parts/status';
import { shownTheme, zone } from '../settings';
import { useStore } from '../store';
import { type Frame, SERIES_DRAWN_MAX } from './frame';
import { seriesColour } from './palette';
import { drawPlot } from './plot';

const HEIGHT = 360;
const HEIGHT_NARROW = 260;

export interface GraphProps {
  frame: Frame;
  stacked: boolean;
  onZoom(startMs: number, endMs: number): void;
  onZoomBack(): void;
}

export function Graph({ frame, stacked, onZoom, onZoomBack }: GraphProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const zoom = useRef({ onZoom, onZoomBack });
  zoom.current = { onZoom, onZoomBack };
  const theme = useStore(shownTheme);
  const shownZone = useStore(zone);
  const [hidden, setHidden] = useHidden(frame);

  useEffect(() => {
    const element = host.current as HTMLDivElement;
    const height = element.clientWidth < 560 ? HEIGHT_NARROW : HEIGHT;
    const shown = new Set(frame.columns.map((_, i) => i).filter((i) => !hidden.has(frame.columns[i]?.name ?? '')));
    plot.current = drawPlot(element, {
      frame,
      shown,
      stacked,
      theme,
      zone: shownZone,
      height,
      onZoom: (start, end) => zoom.current.onZoom(start, end),
      onZoomBack: () => zoom.current.onZoomBack(),
    });
    const observer = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && plot.current && plot.current.width !== width) plot.current.setSize({ width, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [frame, hidden, stacked, theme, shownZone]);

  const highlight = (index: number | null): void => {
    if (!plot.current || stacked) return;
    // The plot holds the shown columns only; a hidden one has nothing to highlight.
    const shownBefore = frame.columns.slice(0, index ?? 0).filter(({ name }) => !hidden.has(name)).length;
    const target = index === null || hidden.has(frame.columns[index]?.name ?? '') ? null : shownBefore + 1;
    plot.current.setSeries(target as number, { focus: true });
  };

  return (
    <div class="graph" data-testid="graph" data-series={frame.columns.length}>
      <Notes frame={frame} />
      <div
        class="plot"
        ref={host}
        role="img"
        aria-label={`Graph of ${frame.columns.length} series; the table shows the same data`}
      />
      <Legend frame={frame} hidden={hidden} theme={theme} onHide={setHidden} onHighlight={highlight} />
    </div>
  );
}

// Hidden series are remembered by name, so that they stay hidden when the query runs again.
function useHidden(frame: Frame): [ReadonlySet<string>, (hidden: ReadonlySet<string>) => void] {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const names = useMemo(() => new Set(frame.columns.map(({ name }) => name)), [frame]);
  const kept = useMemo(() => {
    const still = new Set([...hidden].filter((name) => names.has(name)));
    return still.size === names.size ? new Set<string>() : still;
  }, [hidden, names]);
  return [kept, setHidden];
}

function Notes({ frame }: { frame: Frame }) {
  const curves = frame.seriesTotal - frame.histograms;
  return (
    <>
      {curves > SERIES_DRAWN_MAX && (
        <Notice tone="info">
          The first {SERIES_DRAWN_MAX} of {formatCount(curves)} series are drawn. Aggregate, or use <code>topk()</code>,
          to see fewer.
        </Notice>
      )}
      {frame.histograms > 0 && (
        <Notice tone="info">
          {formatCount(frame.histograms)} series are native histograms, which have no curve: use{' '}
          <code>histogram_quantile()</code> or <code>histogram_count()</code>.
        </Notice>
      )}
      {frame.nonFinite > 0 && (
        <Notice tone="info">{formatCount(frame.nonFinite)} values are NaN or infinite and leave gaps.</Notice>
      )}
    </>
  );
}

interface LegendProps {
  frame: Frame;
  hidden: ReadonlySet<string>;
  theme: 'light' | 'dark';
  onHide(hidden: ReadonlySet<string>): void;
  onHighlight(index: number | null): void;
}

function Legend({ frame, hidden, theme, onHide, onHighlight }: LegendProps) {
  const [current, setCurrent] = useState(0);
  const names = frame.columns.map(({ name }) => name);
  const toggle = (name: string): void => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    onHide(next);
  };
  const isolate = (name: string): void => {
    const alone = hidden.size === names.length - 1 && !hidden.has(name);
    onHide(alone ? new Set() : new Set(names.filter((other) => other !== name)));
  };
  const onKeyDown = (event: KeyboardEvent, index: number): void => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move !== undefined) {
      const next = Math.min(Math.max(index + move, 0), names.length - 1);
      const list = (event.currentTarget as HTMLElement).closest('.legend');
      list?.querySelectorAll<HTMLElement>('button.legend-item')[next]?.focus();
    } else if (event.key === ' ') {
      toggle(names[index] as string);
    } else {
      return;
    }
    event.preventDefault();
  };
  return (
    <>
      <ul class="legend" aria-label="Series" onMouseLeave={() => onHighlight(null)}>
        {frame.columns.map(({ labels, name }, i) => (
          <li key={name}>
            <button
              type="button"
              class="legend-item"
              aria-pressed={!hidden.has(name)}
              tabIndex={i === Math.min(current, names.length - 1) ? 0 : -1}
              onFocus={() => setCurrent(i)}
              onKeyDown={(event) => onKeyDown(event, i)}
              onMouseEnter={() => onHighlight(i)}
              onClick={(event) => (event.ctrlKey || event.metaKey || event.shiftKey ? toggle(name) : isolate(name))}
            >
              <span class="swatch" style={{ background: seriesColour(i, theme) }} aria-hidden="true" />
              <Series labels={labels} />
            </button>
          </li>
        ))}
      </ul>
      {names.length > 1 && (
        <p class="hint">
          Click shows one series alone, Ctrl-click (or Space) hides one. Drag over the graph to zoom, double-click to go
          back.
        </p>
      )}
    </>
  );
}
