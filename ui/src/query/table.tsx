// An instant query's result as a table.
import { useMemo, useState } from 'preact/hooks';
import type { QueryData, SamplePair } from '../api/types';
import { formatCount } from '../format/number';
import { formatTime, type Zone } from '../format/time';
import { useLimit, More } from '../parts/controls';
import { Series } from '../parts/series';
import { Empty } from '../parts/status';
import { zone } from '../settings';
import { useStore } from '../store';
import { type Row, type SortKey, type Sorting, nextSorting, sortRows, toRows } from './rows';

/** More rows than this are rendered only on request: a browser takes seconds for ten thousand. */
const ROWS_SHOWN = 1000;

/** Samples of one range vector rendered before a person asks for the rest. */
const SAMPLES_SHOWN = 60;

export function ResultTable({ data }: { data: QueryData }) {
  const shownZone = useStore(zone);
  const [sorting, setSorting] = useState<Sorting | null>(null);
  const [all, setAll] = useState(false);
  const rows = useMemo(() => toRows(data), [data]);
  const sorted = useMemo(() => sortRows(rows, sorting), [rows, sorting]);
  if (rows.length === 0) {
    return (
      <Empty title="No series matched">
        <p>Nothing carries these labels at the evaluation time. Check names and values, or look at another time.</p>
      </Empty>
    );
  }
  const shown = all ? sorted : sorted.slice(0, ROWS_SHOWN);
  const head = (key: SortKey, label: string) => (
    <SortHead label={label} kind={key} sorting={sorting} onSort={() => setSorting(nextSorting(sorting, key))} />
  );
  return (
    <>
      <div class="table-scroll">
        <table class="result" data-testid="result-table">
          <thead>
            <tr>
              {head('series', 'Series')}
              {head('value', 'Value')}
            </tr>
          </thead>
          <tbody>
            {shown.map((row, i) => (
              <ResultRow key={row.name || i} row={row} zone={shownZone} />
            ))}
          </tbody>
        </table>
      </div>
      <More rest={sorted.length - shown.length} what="more rows" onAll={() => setAll(true)} />
    </>
  );
}

function SortHead(props: { label: string; kind: SortKey; sorting: Sorting | null; onSort(): void }) {
  const active = props.sorting?.key === props.kind ? props.sorting : null;
  const direction = active ? (active.descending ? 'descending' : 'ascending') : 'none';
  return (
    <th scope="col" aria-sort={direction} class={props.kind === 'value' ? 'numeric' : ''}>
      <button type="button" class="sort" onClick={props.onSort}>
        {props.label}
        <span class={`sort-mark ${direction}`} aria-hidden="true" />
      </button>
    </th>
  );
}

function ResultRow({ row, zone: shownZone }: { row: Row; zone: Zone }) {
  return (
    <tr>
      <td>{row.name === '' ? <span class="muted">{row.kind}</span> : <Series labels={row.labels} />}</td>
      <td class={`numeric value ${row.kind === 'string' || row.kind === 'histogram' ? 'prose' : ''}`}>
        {row.kind === 'samples' ? <Samples samples={row.samples} zone={shownZone} /> : row.text}
      </td>
    </tr>
  );
}

function Samples({ samples, zone: shownZone }: { samples: SamplePair[]; zone: Zone }) {
  const { shown, rest, showAll } = useLimit(samples, SAMPLES_SHOWN);
  return (
    <>
      {shown.map(([seconds, text]) => (
        <div key={seconds}>
          {text} <span class="muted">@ {formatTime(seconds * 1000, shownZone, true)}</span>
        </div>
      ))}
      {rest > 0 && (
        <button type="button" class="button" onClick={showAll}>
          {formatCount(rest)} more
        </button>
      )}
    </>
  );
}
