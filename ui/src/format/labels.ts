// Label sets as PromQL writes them.

/** A label set; the metric's name is under `__name__`. */
export type Labels = Readonly<Record<string, string>>;

const PLAIN_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const PLAIN_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** A label value or UTF-8 name between double quotes, escaped as PromQL reads it. */
export function quote(text: string): string {
  return `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`;
}

/** The labels without the metric's name, sorted by name. */
export function labelPairs(labels: Labels): ReadonlyArray<readonly [string, string]> {
  return Object.entries(labels)
    .filter(([name]) => name !== '__name__')
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** A label's name as it stands in a selector: quoted if it isn't a plain identifier. */
export function labelName(name: string): string {
  return PLAIN_NAME.test(name) ? name : quote(name);
}

/** The metric's name if it can stand before the braces; a name in UTF-8 stands quoted inside them. */
export function plainMetricName(labels: Labels): string {
  const name = labels['__name__'] ?? '';
  return PLAIN_METRIC.test(name) ? name : '';
}

/** A series as PromQL selects it: `up{instance="a:9100", job="node"}`; `{}` if it has no label at all. */
export function seriesName(labels: Labels): string {
  const plain = plainMetricName(labels);
  const metric = labels['__name__'];
  const pairs = labelPairs(labels).map(([name, value]) => `${labelName(name)}=${quote(value)}`);
  if (metric && !plain) pairs.unshift(quote(metric));
  if (plain && pairs.length === 0) return plain;
  return `${plain}{${pairs.join(', ')}}`;
}

/** Whether every word of the filter occurs somewhere in the texts, whatever its case. */
export function matchesFilter(filter: string, texts: readonly string[]): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const haystack = texts.join('\n').toLowerCase();
  return words.every((word) => haystack.includes(word));
}

/** A label set as texts to filter by: `name=value` each, quoted and unquoted alike. */
export function filterTexts(labels: Labels): string[] {
  return Object.entries(labels).flatMap(([name, value]) => [`${name}=${value}`, `${name}="${value}"`]);
}
