// One panel of the query page: editor, times, result.
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatDuration, formatSeconds } from '../format/duration';
import { formatCount } from '../format/number';
import { Notice, Empty, ErrorBox, useTimeText } from '../parts/status';
import { Editor } from './editor';
import { Explanation } from './explain';
import { RangeField, StepField, TimeField } from './fields';
import { Graph } from './graph';
import { Examples } from './examples';
import { HistoryMenu } from './history-menu';
import { MetricsButton } from './metrics';
import { chooseStep, longerRange, shorterRange } from './resolution';
import { type Outcome, type Run, useRun } from './run';
import { ResultTable } from './table';
import type { Panel, Tab } from './url';

export interface PanelProps {
  panel: Panel;
  id: string;
  /** Whether an empty editor takes the keyboard at once. */
  autoFocus: boolean;
  removable: boolean;
  onChange(panel: Panel): void;
  onRemove(): void;
}

export function PanelView({ panel, id, autoFocus, removable, onChange, onRemove }: PanelProps) {
  const draft = useRef(panel.expr);
  const insert = useRef<((text: string) => void) | null>(null);
  const [runs, setRuns] = useState(0);
  const [revision, setRevision] = useState(0);
  const run = useRun(panel, runs);
  const zooms = useRef<Array<Pick<Panel, 'rangeMs' | 'endMs'>>>([]);

  const execute = (expr: string): void => {
    if (expr === panel.expr) setRuns((n) => n + 1);
    else onChange({ ...panel, expr });
  };
  const pick = (expr: string): void => {
    setRevision((n) => n + 1);
    execute(expr);
  };
  const zoom = (startMs: number, endMs: number): void => {
    zooms.current.push({ rangeMs: panel.rangeMs, endMs: panel.endMs });
    // Whole seconds, where that is finer than a person drags.
    const grain = endMs - startMs > 60_000 ? 1000 : 1;
    const end = Math.ceil(endMs / grain) * grain;
    onChange({ ...panel, rangeMs: Math.max(end - Math.floor(startMs / grain) * grain, 1000), endMs: end });
  };
  const zoomBack = (): void => {
    const before = zooms.current.pop();
    if (before) onChange({ ...panel, ...before });
  };

  return (
    <section class="panel" aria-label={panel.expr ? `Query ${panel.expr}` : 'Query'}>
      <div class="editor-row">
        <Editor
          handle={insert}
          text={panel.expr}
          revision={revision}
          autoFocus={autoFocus && panel.expr === ''}
          onChange={(text) => (draft.current = text)}
          onRun={execute}
        />
        <MetricsButton onPick={(name) => insert.current?.(name)} />
        <HistoryMenu id={`${id}-history`} onPick={pick} />
        <ExecuteButton run={run} onRun={() => execute(draft.current)} />
        {removable && (
          <button type="button" class="button quiet" aria-label="Remove panel" title="Remove panel" onClick={onRemove}>
            ×
          </button>
        )}
      </div>
      <div class="panel-bar">
        <Tabs id={id} tab={panel.tab} onTab={(tab) => onChange({ ...panel, tab })} />
        {panel.tab === 'graph' ? (
          <GraphControls panel={panel} onChange={onChange} />
        ) : (
          <TimeField
            label="Evaluation time"
            placeholder="now"
            timeMs={panel.momentMs}
            stepMs={60_000}
            onChange={(momentMs) => onChange({ ...panel, momentMs })}
          />
        )}
        <button
          type="button"
          class="button"
          aria-pressed={panel.explained}
          data-testid="explain-toggle"
          title="Show what each part of the query cost"
          onClick={() => onChange({ ...panel, explained: !panel.explained })}
        >
          Explain
        </button>
        <Facts outcome={run.outcome} tab={panel.tab} />
      </div>
      <div
        class={`panel-body ${run.loading ? 'loading' : ''}`}
        id={`${id}-body`}
        role="tabpanel"
        aria-labelledby={`${id}-${panel.tab}`}
        aria-busy={run.loading}
      >
        <Result
          outcome={run.outcome}
          loading={run.loading}
          panel={panel}
          onZoom={zoom}
          onZoomBack={zoomBack}
          onExample={pick}
        />
      </div>
    </section>
  );
}

function ExecuteButton({ run, onRun }: { run: Run; onRun(): void }) {
  // A query that answers at once must not make the button flicker.
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    setSlow(false);
    if (!run.loading) return undefined;
    const timer = setTimeout(() => setSlow(true), 400);
    return () => clearTimeout(timer);
  }, [run.loading]);
  return slow ? (
    <button type="button" class="button execute" data-testid="cancel" onClick={run.cancel}>
      Cancel
    </button>
  ) : (
    <button type="button" class="button primary execute" data-testid="execute" data-refresh onClick={onRun}>
      Execute
    </button>
  );
}

function Tabs({ id, tab, onTab }: { id: string; tab: Tab; onTab(tab: Tab): void }) {
  const item = (name: Tab, label: string) => (
    <button
      type="button"
      role="tab"
      id={`${id}-${name}`}
      class="tab"
      data-testid={`tab-${name}`}
      aria-selected={tab === name}
      aria-controls={`${id}-body`}
      tabIndex={tab === name ? 0 : -1}
      onClick={() => onTab(name)}
      onKeyDown={(event) => {
        if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
        const other: Tab = name === 'table' ? 'graph' : 'table';
        onTab(other);
        document.getElementById(`${id}-${other}`)?.focus();
      }}
    >
      {label}
    </button>
  );
  return (
    <div class="tabs" role="tablist" aria-label="Result as">
      {item('table', 'Table')}
      {item('graph', 'Graph')}
    </div>
  );
}

function GraphControls({ panel, onChange }: { panel: Panel; onChange(panel: Panel): void }) {
  const set = (change: Partial<Panel>): void => onChange({ ...panel, ...change });
  return (
    <>
      <RangeField
        rangeMs={panel.rangeMs}
        onChange={(rangeMs) => set({ rangeMs })}
        shorter={() => set({ rangeMs: shorterRange(panel.rangeMs) })}
        longer={() => set({ rangeMs: longerRange(panel.rangeMs) })}
      />
      <TimeField
        label="End"
        placeholder="now"
        timeMs={panel.endMs}
        stepMs={panel.rangeMs / 2}
        onChange={(endMs) => set({ endMs })}
      />
      <StepField stepMs={panel.stepMs} autoMs={chooseStep(panel.rangeMs)} onChange={(stepMs) => set({ stepMs })} />
      <button
        type="button"
        class="button"
        aria-pressed={panel.stacked}
        onClick={() => set({ stacked: !panel.stacked })}
      >
        Stacked
      </button>
    </>
  );
}

function Facts({ outcome, tab }: { outcome: Outcome; tab: Tab }) {
  const at = useTimeText(outcome.kind === 'table' ? outcome.atMs : null);
  if (outcome.kind !== tab) return null;
  const { answer, tookMs } = outcome;
  const count =
    Array.isArray(answer.data.result) && answer.data.resultType !== 'scalar' && answer.data.resultType !== 'string'
      ? answer.data.result.length
      : 1;
  return (
    <span class="facts" role="status">
      {formatCount(count)}{' '}
      {answer.data.resultType === 'scalar' || answer.data.resultType === 'string' ? answer.data.resultType : 'series'}
      {' · '}
      {formatSeconds(Math.max(tookMs, 1) / 1000)}
      {outcome.kind === 'graph' && <> · step {formatDuration(outcome.grid.stepMs)}</>}
      {outcome.kind === 'table' && <span class="facts-time"> · at {at}</span>}
    </span>
  );
}

interface ResultProps {
  outcome: Outcome;
  loading: boolean;
  panel: Panel;
  onZoom(startMs: number, endMs: number): void;
  onZoomBack(): void;
  onExample(expr: string): void;
}

function Result({ outcome, loading, panel, onZoom, onZoomBack, onExample }: ResultProps) {
  if (panel.expr.trim() === '') return <Examples onPick={onExample} />;
  if (outcome.kind === 'none')
    return (
      <p class="waiting" role="status">
        {loading ? 'Loading…' : 'Cancelled.'}
      </p>
    );
  if (outcome.kind === 'error') return <ErrorBox title="The query failed." error={outcome.error} />;
  return (
    <>
      {outcome.answer.warnings.map((text) => (
        <Notice key={text} tone="warn" title="Warning:">
          {text}
        </Notice>
      ))}
      {outcome.answer.infos.map((text) => (
        <Notice key={text} tone="info" title="Note:">
          {text}
        </Notice>
      ))}
      {outcome.explained && <Explanation data={outcome.answer.data} />}
      {outcome.kind === 'table' && <ResultTable key={outcome.expr} data={outcome.answer.data} />}
      {outcome.kind === 'graph' && outcome.frame.seriesTotal === 0 && (
        <Empty title="No series matched">
          <p>Nothing carries these labels in this range. Check names and values, or choose a longer range.</p>
        </Empty>
      )}
      {outcome.kind === 'graph' && outcome.frame.seriesTotal > 0 && (
        <Graph frame={outcome.frame} stacked={panel.stacked} onZoom={onZoom} onZoomBack={onZoomBack} />
      )}
    </>
  );
}
