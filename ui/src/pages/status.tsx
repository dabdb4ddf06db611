// Status: what this node is, how it was started and configured, what its head block holds.
import { useMemo, useState } from 'preact/hooks';
import { usePoll } from '../api/poll';
import type { BuildInfo, TsdbStatus } from '../api/types';
import { formatCount } from '../format/number';
import { matchesFilter } from '../format/labels';
import { formatTime, parseRFC3339 } from '../format/time';
import { FilterField } from '../parts/controls';
import { Ago, Loaded } from '../parts/status';
import { zone } from '../settings';
import { useStore } from '../store';

type Values = Readonly<Record<string, unknown>>;

export function StatusPage() {
  const build = usePoll<BuildInfo>('status/buildinfo', true);
  const runtime = usePoll<Values>('status/runtimeinfo', true);
  const tsdb = usePoll<TsdbStatus>('status/tsdb', true);
  const flags = usePoll<Record<string, string>>('status/flags', true);
  const config = usePoll<{ yaml: string }>('status/config', true);
  return (
    <>
      <header class="page-head">
        <h1>Status</h1>
      </header>
      <div class="columns">
        <section class="group" aria-label="Build">
          <h2 class="group-head">Build</h2>
          <Loaded polled={build}>{(data) => <ValueTable values={data} />}</Loaded>
        </section>
        <section class="group" aria-label="Runtime">
          <h2 class="group-head">Runtime</h2>
          <Loaded polled={runtime}>{(data) => <ValueTable values={data} />}</Loaded>
        </section>
      </div>
      <section class="group" aria-label="Head block">
        <h2 class="group-head">Head block</h2>
        <Loaded polled={tsdb}>{(data) => <Head tsdb={data} />}</Loaded>
      </section>
      <section class="group" aria-label="Flags">
        <h2 class="group-head">Command line</h2>
        <Loaded polled={flags}>{(data) => <Flags flags={data} />}</Loaded>
      </section>
      <section class="group" aria-label="Configuration">
        <h2 class="group-head">Configuration</h2>
        <Loaded polled={config}>{({ yaml }) => <Configuration yaml={yaml} />}</Loaded>
      </section>
    </>
  );
}

const TIME_NAMES = /time$/i;

function Value({ name, value }: { name: string; value: unknown }) {
  const shownZone = useStore(zone);
  if (typeof value === 'string') {
    const at = /^\d{4}-\d\d-\d\dT/.test(value) ? parseRFC3339(value) : null;
    if (at !== null)
      return (
        <>
          {formatTime(at, shownZone)}{' '}
          <span class="muted">
            (<Ago time={at} />)
          </span>
        </>
      );
    return <>{value}</>;
  }
  if (typeof value === 'number') {
    // The head's minTime and maxTime are milliseconds; an empty head has the extremes of an i64 there.
    if (TIME_NAMES.test(name) && value > 1e12)
      return <>{value < 1e14 ? formatTime(value, shownZone) : <span class="muted">–</span>}</>;
    return <>{Math.abs(value) > 1e15 ? '–' : formatCount(value)}</>;
  }
  return <>{JSON.stringify(value)}</>;
}

// camelCase of the API as words: numLabelPairs → "num label pairs", GOMAXPROCS unchanged.
function words(name: string): string {
  return /^[A-Z_]+$/.test(name)
    ? name
    : name
        .replace(/([a-z])([A-Z])/g, '$1 $2')
        .replace(/^\w/, (c) => c.toUpperCase())
        .replace(/ [A-Z](?![A-Z])/g, (c) => c.toLowerCase());
}

// Values that a node has no answer for come empty and are left out.
function ValueTable({ values }: { values: Values }) {
  return (
    <table class="values">
      <tbody>
        {Object.entries(values)
          .filter(([, value]) => value !== '')
          .map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{words(name)}</th>
              <td>
                <Value name={name} value={value} />
              </td>
            </tr>
          ))}
      </tbody>
    </table>
  );
}

interface Counted {
  name: string;
  value: number;
}

const TOP_TITLES: ReadonlyArray<readonly [string, string, string]> = [
  ['seriesCountByMetricName', 'Most series by metric', 'Series'],
  ['seriesCountByLabelValuePair', 'Most series by label', 'Series'],
  ['labelValueCountByLabelName', 'Most values by label name', 'Values'],
  ['memoryInBytesByLabelName', 'Most memory by label name', 'Bytes'],
];

function Head({ tsdb }: { tsdb: TsdbStatus }) {
  return (
    <>
      {tsdb.headStats && <ValueTable values={tsdb.headStats} />}
      <div class="columns">
        {TOP_TITLES.map(([field, title, unit]) => {
          const rows = tsdb[field];
          return (
            Array.isArray(rows) &&
            rows.length > 0 && <TopTable key={field} title={title} unit={unit} rows={rows as Counted[]} />
          );
        })}
      </div>
    </>
  );
}

function TopTable({ title, unit, rows }: { title: string; unit: string; rows: readonly Counted[] }) {
  return (
    <table class="top">
      <thead>
        <tr>
          <th scope="col">{title}</th>
          <th scope="col" class="numeric">
            {unit}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, value }) => (
          <tr key={name}>
            <td class="breakable">{name}</td>
            <td class="numeric">{formatCount(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Flags({ flags }: { flags: Record<string, string> }) {
  const [filter, setFilter] = useState('');
  const shown = useMemo(
    () =>
      Object.fromEntries(
        Object.entries(flags)
          .filter(([name, value]) => matchesFilter(filter, [name, value]))
          .map(([name, value]) => [`--${name}`, value]),
      ),
    [flags, filter],
  );
  return (
    <>
      <FilterField label="Filter flags" value={filter} onChange={setFilter} />
      <table class="values flags">
        <tbody>
          {Object.entries(shown).map(([name, value]) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td class="breakable">{value || <span class="muted">–</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Configuration({ yaml }: { yaml: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(yaml);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <>
      {navigator.clipboard && (
        <button type="button" class="button copy" onClick={() => void copy()}>
          {copied ? 'Copied' : 'Copy'}
        </button>
      )}
      <pre class="config" tabIndex={0} aria-label="Configuration in YAML">
        {yaml}
      </pre>
    </>
  );
}
