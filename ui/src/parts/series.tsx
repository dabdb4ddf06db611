// Label sets and series as people read them.
import type { Labels } from '../api/types';
import { labelName, labelPairs, plainMetricName, quote } from '../format/labels';

/** A series as PromQL writes it, its parts coloured. */
export function Series({ labels }: { labels: Labels }) {
  const metric = plainMetricName(labels);
  const pairs = labelPairs(labels);
  const quoted = !metric && labels['__name__'] ? quote(labels['__name__']) : '';
  if (pairs.length === 0 && !quoted)
    return (
      <span class="series">
        <span class="series-metric">{metric || '{}'}</span>
      </span>
    );
  return (
    <span class="series">
      <span class="series-metric">{metric}</span>
      {'{'}
      {quoted && (
        <span class="series-metric">
          {quoted}
          {pairs.length > 0 && ', '}
        </span>
      )}
      {pairs.map(([name, value], i) => (
        <span key={name}>
          {i > 0 && ', '}
          <span class="series-pair">
            <span class="series-label">{labelName(name)}</span>=<span class="series-value">{quote(value)}</span>
          </span>
        </span>
      ))}
      {'}'}
    </span>
  );
}

/** Labels as a row of small tags, the omitted ones left out. */
export function LabelTags({ labels, omit = [] }: { labels: Labels | null | undefined; omit?: readonly string[] }) {
  const pairs = Object.entries(labels ?? {})
    .filter(([name]) => !omit.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length === 0) return <span class="muted">none</span>;
  return (
    <span class="tags">
      {pairs.map(([name, value]) => (
        <span class="tag" key={name}>
          <span class="tag-name">{name}</span>=<span class="tag-value">{quote(value)}</span>
        </span>
      ))}
    </span>
  );
}
