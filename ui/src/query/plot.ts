// The canvas: uPlot set up for one frame, and the tooltip that names the nearest curve.
import uPlot from 'uplot';
import { formatSI, formatTicks } from '../format/number';
import { formatTime, formatTimeTicks, type Zone } from '../format/time';
import { type Column, type Frame, isolated, stack } from './frame';
import { seriesColour } from './palette';

/** What is drawn and how. */
export interface PlotOptions {
  frame: Frame;
  /** Indices of the columns that are shown. */
  shown: ReadonlySet<number>;
  stacked: boolean;
  theme: 'light' | 'dark';
  zone: Zone;
  height: number;
  onZoom(startMs: number, endMs: number): void;
  onZoomBack(): void;
}

const FONT = '11px system-ui, sans-serif';

function cssColour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Draws the frame into `host`. The caller destroys the plot. */
export function drawPlot(host: HTMLElement, options: PlotOptions): uPlot {
  const { frame, stacked, zone } = options;
  const indices = frame.columns.map((_, i) => i).filter((i) => options.shown.has(i));
  const columns = indices.map((i) => frame.columns[i] as Column);
  const values = columns.map((column) => column.values);
  const drawn = stacked ? stack(values) : values;
  const grid = { stroke: cssColour('--grid'), width: 1 };
  const axis = { stroke: cssColour('--text-muted'), font: FONT, grid, ticks: { ...grid, size: 4 } };
  const plot = new uPlot(
    {
      width: Math.max(host.clientWidth, 200),
      height: options.height,
      tzDate: (seconds) =>
        zone === 'utc' ? uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC') : new Date(seconds * 1000),
      legend: { show: false },
      padding: [10, 14, 0, 0],
      cursor: {
        drag: { x: true, y: false, setScale: false, dist: 6 },
        focus: { prox: 30 },
        points: { size: 7, width: 2 },
        bind: { dblclick: () => () => (options.onZoomBack(), null) },
      },
      focus: { alpha: columns.length > 1 && !stacked ? 0.3 : 1 },
      scales: {
        x: { time: true, range: (_, min, max) => (min === max ? [min - 1, max + 1] : [min, max]) },
        y: { range: (_, min, max) => valueRange(min, max, stacked) },
      },
      series: [{}, ...indices.map((index) => lineSeries(index, options))],
      bands: stacked ? indices.slice(1).map((_, i) => ({ series: [i + 2, i + 1] as [number, number] })) : [],
      axes: [
        {
          ...axis,
          space: 70,
          values: (_, ticks) =>
            formatTimeTicks(
              ticks.map((s) => s * 1000),
              zone,
            ),
          size: 44,
        },
        { ...axis, space: 32, values: (_, ticks) => formatTicks(ticks), size: axisWidth },
      ],
      hooks: {
        setSelect: [
          (self) => {
            if (self.select.width < 6) return;
            const start = self.posToVal(self.select.left, 'x');
            const end = self.posToVal(self.select.left + self.select.width, 'x');
            self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            options.onZoom(Math.round(start * 1000), Math.round(end * 1000));
          },
        ],
      },
      plugins: [tooltip(columns, indices, drawn, options)],
    },
    [frame.times, ...drawn],
    host,
  );
  return plot;
}

function lineSeries(index: number, { stacked, theme }: PlotOptions): uPlot.Series {
  const colour = seriesColour(index, theme);
  return {
    stroke: colour,
    width: stacked ? 1 : 1.6,
    spanGaps: false,
    pxAlign: 0,
    ...(stacked ? { fill: `${colour}${theme === 'dark' ? '66' : '59'}` } : {}),
    // Curves carry no points, except where a lone sample would not be visible at all.
    points: {
      show: true,
      size: 4,
      width: 0,
      fill: colour,
      filter: (self, seriesIndex) => isolated(self.data[seriesIndex] as Array<number | null>),
    },
  };
}

function valueRange(min: number | null, max: number | null, stacked: boolean): [number, number] {
  if (min == null || max == null) return [0, 1];
  const low = stacked ? Math.min(0, min) : min;
  const high = stacked ? Math.max(0, max) : max;
  if (low === high) {
    const around = low === 0 ? 1 : Math.abs(low) * 0.1;
    return [low - around, high + around];
  }
  const pad = (high - low) * 0.06;
  // Zero stays the edge when all values are on one side of it and near it.
  const bottom = low >= 0 && low - pad < 0 ? 0 : low === 0 ? 0 : low - pad;
  const top = high <= 0 && high + pad > 0 ? 0 : high + pad;
  return [bottom, top];
}

function axisWidth(self: uPlot, values: string[] | null): number {
  if (!values) return 50;
  self.ctx.font = FONT;
  const widest = Math.max(...values.map((text) => self.ctx.measureText(text ?? '').width / devicePixelRatio));
  return Math.ceil(Math.max(widest, 24)) + 14;
}

// Follows the cursor and describes the curve nearest to it at the evaluation time under it.
function tooltip(
  columns: Column[],
  indices: number[],
  drawn: Array<Array<number | null>>,
  options: PlotOptions,
): uPlot.Plugin {
  const box = document.createElement('div');
  box.className = 'plot-tooltip';
  box.hidden = true;
  return {
    hooks: {
      init: (self) => {
        self.over.append(box);
        self.over.addEventListener('mouseleave', () => (box.hidden = true));
      },
      setCursor: (self) => {
        const { left = -1, top = -1, idx } = self.cursor;
        const nearest = idx == null || left < 0 ? null : columnAt(self, drawn, idx, top, options.stacked);
        box.hidden = nearest === null;
        if (nearest === null || idx == null) return;
        const column = columns[nearest] as Column;
        box.replaceChildren(...describe(column, indices[nearest] as number, idx, options));
        place(box, self.over, left, top);
      },
    },
  };
}

// The curve nearest to the cursor; of stacked ones, the band that the cursor is in.
function columnAt(
  self: uPlot,
  drawn: Array<Array<number | null>>,
  idx: number,
  top: number,
  stacked: boolean,
): number | null {
  let best: number | null = null;
  let bestDistance = Infinity;
  drawn.forEach((values, i) => {
    const value = values[idx];
    if (value == null) return;
    const offset = top - self.valToPos(value, 'y');
    // Above all bands, the topmost counts: it is the least far below.
    const distance = stacked && offset < 0 ? 1e6 - offset : Math.abs(offset);
    if (distance < bestDistance) [best, bestDistance] = [i, distance];
  });
  return best;
}

function element(tag: string, className: string, text: string): HTMLElement {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function describe(column: Column, index: number, idx: number, { frame, zone, theme }: PlotOptions): HTMLElement[] {
  const time = element('div', 'plot-tooltip-time', formatTime((frame.times[idx] as number) * 1000, zone, true));
  const value = column.values[idx];
  const head = element('div', 'plot-tooltip-value', '');
  const swatch = element('span', 'swatch', '');
  swatch.style.background = seriesColour(index, theme);
  const exact = value == null ? 'no sample' : String(value);
  head.append(swatch, element('strong', '', value == null ? exact : formatSI(value, 5)));
  if (value != null && exact !== formatSI(value, 5)) head.append(element('span', 'muted', ` ${exact}`));
  const { __name__: metric, ...labels } = column.labels;
  const lines = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const list = element('div', 'plot-tooltip-labels', '');
  if (metric) list.append(element('div', 'series-metric', metric));
  for (const [name, labelValue] of lines) {
    const line = element('div', '', '');
    line.append(element('span', 'series-label', name), ': ', labelValue);
    list.append(line);
  }
  return [time, head, list];
}

function place(box: HTMLElement, over: HTMLElement, left: number, top: number): void {
  const gap = 14;
  const { offsetWidth: width, offsetHeight: height } = box;
  const fitsRight = left + gap + width <= over.clientWidth;
  const x = fitsRight ? left + gap : Math.max(left - gap - width, 0);
  // Sinks below the plot rather than covering the cursor, where the page has room for it.
  const y = Math.min(Math.max(top + gap, 0), Math.max(over.clientHeight - height, 0));
  box.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
}
