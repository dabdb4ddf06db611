// The query page's state in its address, in Prometheus's own parameters (g0.expr, g0.tab, …), so that links work both ways.
import { formatDuration, parseDuration } from '../format/duration';
import { formatTime, parseTime } from '../format/time';

export type Tab = 'graph' | 'table';

/** One panel: an expression that was run and how its result is shown. Times are in milliseconds. */
export interface Panel {
  expr: string;
  tab: Tab;
  rangeMs: number;
  /** End of the graph; null follows now. */
  endMs: number | null;
  /** Evaluation time of the table; null is now. */
  momentMs: number | null;
  /** Distance of two points; null chooses it by the range. */
  stepMs: number | null;
  stacked: boolean;
  /** Whether the result comes with what each part of the expression cost; Prometheus has no such parameter. */
  explained: boolean;
}

export const DEFAULT_RANGE_MS = 3_600_000;

/** A panel with nothing in it. */
export function emptyPanel(): Panel {
  return {
    expr: '',
    tab: 'table',
    rangeMs: DEFAULT_RANGE_MS,
    endMs: null,
    momentMs: null,
    stepMs: null,
    stacked: false,
    explained: false,
  };
}

/** More panels than this in one address are ignored. */
const PANELS_MAX = 100;

/** The panels of a query string; always at least one. Unreadable values count as absent. */
export function parsePanels(search: string): Panel[] {
  const params = new URLSearchParams(search);
  const indices = new Set<number>();
  for (const name of params.keys()) {
    const match = /^g(\d{1,4})\./.exec(name);
    if (match) indices.add(Number(match[1]));
  }
  const panels = [...indices]
    .sort((a, b) => a - b)
    .slice(0, PANELS_MAX)
    .map((index) => parsePanel(params, index));
  return panels.length > 0 ? panels : [emptyPanel()];
}

function parsePanel(params: URLSearchParams, index: number): Panel {
  const get = (name: string): string => params.get(`g${index}.${name}`) ?? '';
  const tab = get('tab');
  const step = parseDuration(get('step_input') || get('res_step'));
  return {
    expr: get('expr'),
    tab: tab === '0' || tab === 'graph' ? 'graph' : 'table',
    rangeMs: parseDuration(get('range_input')) || DEFAULT_RANGE_MS,
    endMs: parseTime(get('end_input'), 'utc', 0) || null,
    momentMs: parseTime(get('moment_input'), 'utc', 0) || null,
    stepMs: step === null || step <= 0 ? null : step,
    stacked: get('stacked') === '1' || get('display_mode') === 'stacked',
    explained: get('explain') === '1',
  };
}

/** The query string that reproduces the panels, with its `?`; empty for one empty panel. */
export function formatPanels(panels: readonly Panel[]): string {
  const only = panels.length === 1 ? panels[0] : undefined;
  if (only && JSON.stringify(only) === JSON.stringify(emptyPanel())) return '';
  const params = new URLSearchParams();
  panels.forEach((panel, index) => {
    const set = (name: string, value: string): void => params.set(`g${index}.${name}`, value);
    set('expr', panel.expr);
    set('tab', panel.tab === 'graph' ? '0' : '1');
    set('display_mode', panel.stacked ? 'stacked' : 'lines');
    set('range_input', formatDuration(panel.rangeMs));
    if (panel.endMs !== null) set('end_input', formatTime(panel.endMs, 'utc', true));
    if (panel.momentMs !== null) set('moment_input', formatTime(panel.momentMs, 'utc', true));
    if (panel.stepMs !== null) set('step_input', String(panel.stepMs / 1000));
    if (panel.explained) set('explain', '1');
  });
  return `?${params}`;
}
