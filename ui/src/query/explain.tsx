// What each part of a query cost: the tree of the expression with its figures.
import { useMemo } from 'preact/hooks';
import type { ExplainedNode, QueryData, QueryStats } from '../api/types';
import { formatSeconds } from '../format/duration';
import { formatCount } from '../format/number';
import { useLimit, More } from '../parts/controls';
import { Notice } from '../parts/status';
import { type CostRow, formatShare, toCostRows } from './cost';

/** More parts than this are shown only on request. */
const PARTS_SHOWN = 200;

/** Parts deeper than this are moved in no further: the text needs the room. */
const DEPTH_SHOWN = 12;

/** The columns of figures and what they mean. */
const FIGURES = [
  ['Series', 'Series that it gave to the part above'],
  ['Samples', 'Samples that it decoded'],
  ['Points', 'Values that it gave to the part above, of all series and steps'],
  ['Storage', 'How long the storage looked for its series, before the evaluation'],
  ['Own time', 'Without the parts below it'],
  ['Total', 'With the parts below it'],
] as const;

export function Explanation({ data }: { data: QueryData }) {
  if (!data.explain) {
    return <Notice tone="info">This node does not tell what the parts of a query cost.</Notice>;
  }
  return (
    <section class="explain" aria-label="What each part cost" data-testid="explain">
      <Parts root={data.explain} />
      {data.stats && <Totals stats={data.stats} />}
    </section>
  );
}

function Parts({ root }: { root: ExplainedNode }) {
  const rows = useMemo(() => toCostRows(root), [root]);
  const { shown, rest, showAll } = useLimit(rows, PARTS_SHOWN);
  return (
    <>
      <table class="explain-parts">
        <thead>
          <tr>
            <th scope="col">Part</th>
            {FIGURES.map(([name, meaning]) => (
              <th key={name} scope="col" class="numeric" title={meaning}>
                {name}
              </th>
            ))}
            <th scope="col" class="explain-share">
              Share
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((row, i) => (
            <Part key={i} row={row} />
          ))}
        </tbody>
      </table>
      <More rest={rest} what="more parts" onAll={showAll} />
    </>
  );
}

function Part({ row }: { row: CostRow }) {
  const { node, depth, ownShare, totalShare, expensive } = row;
  const figure = (label: string, text: string | null) => (
    <td class="numeric" data-label={label}>
      {text ?? <span class="muted">–</span>}
    </td>
  );
  return (
    <tr class={expensive ? 'expensive' : ''}>
      <th scope="row" style={{ '--depth': Math.min(depth, DEPTH_SHOWN) }}>
        {depth > DEPTH_SHOWN && (
          <span class="explain-depth" title={`${depth} parts below the whole`}>
            {depth}
          </span>
        )}
        <code>{node.text}</code>
      </th>
      {figure('Series', formatCount(node.series))}
      {figure('Samples', node.samples > 0 || node.selectSeconds !== undefined ? formatCount(node.samples) : null)}
      {figure('Points', formatCount(node.points))}
      {figure('Storage', node.selectSeconds === undefined ? null : formatSeconds(node.selectSeconds))}
      {figure('Own time', formatSeconds(node.selfSeconds))}
      {figure('Total', formatSeconds(node.totalSeconds))}
      <td class="explain-share" data-label="Share">
        <span class="explain-bar" aria-hidden="true">
          <span class="explain-bar-total" style={{ width: `${totalShare * 100}%` }} />
          <span class="explain-bar-own" style={{ width: `${ownShare * 100}%` }} />
        </span>
        <span class="explain-percent" title={`${formatShare(totalShare)} with the parts below it`}>
          {formatShare(ownShare)}
        </span>
      </td>
    </tr>
  );
}

function Totals({ stats: { timings, samples } }: { stats: QueryStats }) {
  const seconds = (name: string): string => formatSeconds(timings[name] ?? NaN);
  return (
    <p class="explain-totals muted">
      Waited {seconds('execQueueTime')}, asked the storage {seconds('queryPreparationTime')}, evaluated{' '}
      {seconds('innerEvalTime')}. The steps looked at {formatCount(samples.totalQueryableSamples)} samples; at most{' '}
      {formatCount(samples.peakSamples)} were held at one time.
    </p>
  );
}
