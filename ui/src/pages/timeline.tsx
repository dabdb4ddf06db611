// The blocks of a bucket drawn over time, and listed.
import type { Block } from '../api/types';
import { formatSeconds } from '../format/duration';
import { formatBytes, formatCount } from '../format/number';
import { formatTime } from '../format/time';
import { useLimit, More } from '../parts/controls';
import { LabelTags } from '../parts/series';
import { zone } from '../settings';
import { useStore } from '../store';
import { blockSpan, lanes } from './blocks';

const LANES_SHOWN = 12;
const BLOCKS_LISTED = 20;

export function Timeline({ blocks }: { blocks: readonly Block[] }) {
  const shownZone = useStore(zone);
  const span = blockSpan(blocks);
  if (!span) return null;
  const length = Math.max(span.maxTime - span.minTime, 1);
  const percent = (ms: number): string => `${((ms / length) * 100).toFixed(3)}%`;
  const all = lanes(blocks);
  const titled = all.some(({ title }) => title !== '');
  return (
    <figure
      class="timeline"
      aria-label={`${blocks.length} blocks from ${formatTime(span.minTime, shownZone)} to ${formatTime(span.maxTime, shownZone)}`}
    >
      {all.slice(0, LANES_SHOWN).map((lane, i) => (
        <div class="lane" key={i}>
          {titled && (
            <span class="lane-title" title={lane.title}>
              {all[i - 1]?.title === lane.title ? '' : lane.title}
            </span>
          )}
          <div class="lane-strip">
            {lane.blocks.map((block) => (
              <span
                class="block"
                key={block.ulid}
                style={{ left: percent(block.minTime - span.minTime), width: percent(block.maxTime - block.minTime) }}
                title={`${block.ulid}\n${formatTime(block.minTime, shownZone)} – ${formatTime(block.maxTime, shownZone)}\n${formatCount(block.series)} series, ${formatBytes(block.bytes)}`}
              />
            ))}
          </div>
        </div>
      ))}
      {all.length > LANES_SHOWN && <p class="hint">{all.length - LANES_SHOWN} more strips are not drawn.</p>}
      <figcaption class="lane">
        {titled && <span class="lane-title" />}
        <span class="lane-ends">
          <span>{formatTime(span.minTime, shownZone)}</span>
          <span>{formatTime(span.maxTime, shownZone)}</span>
        </span>
      </figcaption>
    </figure>
  );
}

export function BlockTable({ blocks }: { blocks: readonly Block[] }) {
  const shownZone = useStore(zone);
  const { shown, rest, showAll } = useLimit(blocks, BLOCKS_LISTED);
  return (
    <>
      <table class="stackable">
        <thead>
          <tr>
            <th scope="col">Block</th>
            <th scope="col">From</th>
            <th scope="col">Length</th>
            <th scope="col" class="numeric">
              Series
            </th>
            <th scope="col" class="numeric">
              Samples
            </th>
            <th scope="col" class="numeric">
              Size
            </th>
            <th scope="col">Labels</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((block) => (
            <tr key={block.ulid}>
              <td data-label="Block">
                <code>{block.ulid}</code>
              </td>
              <td data-label="From" class="nowrap">
                {formatTime(block.minTime, shownZone)}
              </td>
              <td data-label="Length" class="nowrap">
                {formatSeconds((block.maxTime - block.minTime) / 1000)}
              </td>
              <td data-label="Series" class="numeric">
                {formatCount(block.series)}
              </td>
              <td data-label="Samples" class="numeric">
                {formatCount(block.samples)}
              </td>
              <td data-label="Size" class="numeric nowrap">
                {formatBytes(block.bytes)}
              </td>
              <td data-label="Labels">
                <LabelTags labels={block.labels} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <More rest={rest} what="older blocks" onAll={showAll} />
    </>
  );
}
