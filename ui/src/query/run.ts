// Runs a panel's query when it should be run, and keeps the last result on the page until the next one is there.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, type Answer, asApiError, isAbort, request } from '../api/client';
import type { QueryData } from '../api/types';
import type { Panel } from './url';
import { type Frame, layOut } from './frame';
import { rememberQuery } from './history';
import { type Grid, chooseGrid } from './resolution';

/** An answer, and whether its costs were asked for. */
interface Answered {
  expr: string;
  answer: Answer<QueryData>;
  explained: boolean;
  tookMs: number;
}

/** What a run ended with. */
export type Outcome =
  | { kind: 'none' }
  | (Answered & { kind: 'table'; atMs: number })
  | (Answered & { kind: 'graph'; frame: Frame; grid: Grid })
  | { kind: 'error'; expr: string; error: ApiError };

/** A run and whether another one is under way. */
export interface Run {
  outcome: Outcome;
  loading: boolean;
  cancel(): void;
}

/** What asks for the costs of a query beside its answer. */
function costs(panel: Panel): Record<string, string> {
  return panel.explained ? { explain: 'true', stats: 'true' } : {};
}

async function runTable(panel: Panel, signal: AbortSignal): Promise<Outcome> {
  const atMs = panel.momentMs ?? Date.now();
  const started = performance.now();
  const form = { query: panel.expr, time: String(atMs / 1000), ...costs(panel) };
  const answer = await request<QueryData>('query', { form, signal });
  const tookMs = performance.now() - started;
  return { kind: 'table', expr: panel.expr, answer, explained: panel.explained, atMs, tookMs };
}

async function runGraph(panel: Panel, signal: AbortSignal): Promise<Outcome> {
  const grid = chooseGrid(panel.rangeMs, panel.endMs ?? Date.now(), panel.stepMs);
  const started = performance.now();
  const form = {
    query: panel.expr,
    start: String(grid.startMs / 1000),
    end: String(grid.endMs / 1000),
    step: String(grid.stepMs / 1000),
    ...costs(panel),
  };
  const answer = await request<QueryData>('query_range', { form, signal });
  const tookMs = performance.now() - started;
  const frame = layOut(answer.data.resultType === 'matrix' ? answer.data.result : [], grid);
  return { kind: 'graph', expr: panel.expr, answer, explained: panel.explained, frame, grid, tookMs };
}

/** Runs the panel's query whenever what it asks for changes, and again whenever `runs` grows. */
export function useRun(panel: Panel, runs: number): Run {
  const [outcome, setOutcome] = useState<Outcome>({ kind: 'none' });
  const [loading, setLoading] = useState(panel.expr.trim() !== '');
  const controller = useRef<AbortController | null>(null);
  const { expr, tab, rangeMs, endMs, momentMs, stepMs, explained } = panel;
  const asked = tab === 'graph' ? `${rangeMs} ${endMs} ${stepMs}` : `${momentMs}`;

  useEffect(() => {
    if (expr.trim() === '') {
      setOutcome({ kind: 'none' });
      return undefined;
    }
    const own = new AbortController();
    controller.current = own;
    setLoading(true);
    const run = tab === 'graph' ? runGraph : runTable;
    run(panel, own.signal)
      .catch((error: unknown): Outcome => {
        if (isAbort(error)) throw error;
        return { kind: 'error', expr, error: asApiError(error) };
      })
      .then(
        (ended) => {
          if (own.signal.aborted) return;
          if (ended.kind !== 'error') rememberQuery(expr);
          setOutcome(ended);
        },
        () => undefined,
      )
      .finally(() => {
        if (controller.current === own) setLoading(false);
      });
    return () => own.abort();
  }, [expr, tab, asked, explained, runs]);

  return { outcome, loading, cancel: () => controller.current?.abort() };
}
