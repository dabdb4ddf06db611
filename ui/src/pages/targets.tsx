// Targets: every scrape pool with its targets, their health and labels.
import { useEffect, useState } from 'preact/hooks';
import { asApiError, isAbort, request, type ApiError } from '../api/client';
import { usePoll } from '../api/poll';
import type { DroppedTarget, Target, Targets } from '../api/types';
import { formatSeconds } from '../format/duration';
import { filterTexts, matchesFilter } from '../format/labels';
import { formatCount } from '../format/number';
import {
  type Choice,
  FilterField,
  FoldButton,
  Freshness,
  Toggles,
  toggled,
  useFold,
  useLimit,
  More,
} from '../parts/controls';
import { ExternalLink } from '../parts/link';
import { LabelTags } from '../parts/series';
import { Ago, Badge, Empty, ErrorBox, Loaded, toneOf } from '../parts/status';
import { type Filters, stateShown, useFilters } from './filters';
import { RelabelSteps } from './relabel-steps';
import { SharingNote } from './sharding';

/** Targets of one pool rendered before a person asks for the rest. */
const POOL_SHOWN = 100;

export function TargetsPage() {
  const polled = usePoll<Targets>('targets?state=active');
  const filters = useFilters();
  return (
    <>
      <header class="page-head">
        <h1>Targets</h1>
        <Freshness polled={polled} />
      </header>
      <Loaded polled={polled}>
        {({ activeTargets, droppedTargetCounts }) => (
          <>
            <SharingNote />
            <Pools targets={activeTargets} filters={filters} />
            <Dropped counts={droppedTargetCounts ?? null} />
          </>
        )}
      </Loaded>
    </>
  );
}

function byPool(targets: readonly Target[]): Map<string, Target[]> {
  const pools = new Map<string, Target[]>();
  for (const target of targets) {
    const pool = pools.get(target.scrapePool);
    if (pool) pool.push(target);
    else pools.set(target.scrapePool, [target]);
  }
  return new Map([...pools].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function targetShown(target: Target, { text, states }: Filters): boolean {
  if (!stateShown(states, target.health)) return false;
  return matchesFilter(text, [target.scrapePool, target.scrapeUrl, target.lastError, ...filterTexts(target.labels)]);
}

function Pools({ targets, filters }: { targets: Target[]; filters: Filters }) {
  if (targets.length === 0) {
    return (
      <Empty title="No targets">
        <p>
          No <code>scrape_configs</code> section has discovered any.
        </p>
      </Empty>
    );
  }
  const choices: Choice[] = ['up', 'down', 'unknown'].map((id) => ({
    id,
    label: id,
    tone: toneOf(id),
    count: targets.filter(({ health }) => health === id).length,
  }));
  const all = byPool(targets);
  const matching = byPool(targets.filter((target) => targetShown(target, filters)));
  return (
    <>
      <div class="filter-bar">
        <Toggles
          label="Health"
          choices={choices}
          chosen={filters.states}
          onToggle={(id) => filters.setStates(toggled(filters.states, id))}
        />
        <FilterField label="Filter by endpoint, label or error" value={filters.text} onChange={filters.setText} />
      </div>
      {matching.size === 0 && <Empty title="No target matches the filter" />}
      {[...matching].map(([name, pool]) => (
        <Pool key={name} name={name} targets={pool} all={all.get(name) ?? pool} />
      ))}
    </>
  );
}

function Pool({ name, targets, all }: { name: string; targets: Target[]; all: Target[] }) {
  const [open, turn] = useFold(`pool ${name}`, true);
  const { shown, rest, showAll } = useLimit(targets, POOL_SHOWN);
  const up = all.filter(({ health }) => health === 'up').length;
  const tone = up === all.length ? 'good' : all.some(({ health }) => health === 'down') ? 'bad' : 'none';
  const id = `pool-${name}`;
  return (
    <section class="group" aria-label={`Scrape pool ${name}`}>
      <h2 class="group-head">
        <FoldButton open={open} controls={id} onClick={turn}>
          {name}{' '}
          <Badge tone={tone}>
            {up}/{all.length} up
          </Badge>
        </FoldButton>
      </h2>
      {open && (
        <div id={id}>
          <table class="stackable targets">
            <thead>
              <tr>
                <th scope="col">Endpoint</th>
                <th scope="col">State</th>
                <th scope="col">Labels</th>
                <th scope="col">Last scrape</th>
                <th scope="col" class="numeric">
                  Duration
                </th>
              </tr>
            </thead>
            {shown.map((target) => (
              <TargetRow key={targetKey(target)} target={target} />
            ))}
          </table>
          <More rest={rest} onAll={showAll} />
        </div>
      )}
    </section>
  );
}

function targetKey(target: Target): string {
  return `${target.scrapePool} ${target.scrapeUrl} ${JSON.stringify(target.labels)}`;
}

function TargetRow({ target }: { target: Target }) {
  const key = targetKey(target);
  const [open, turn] = useFold(`target ${key}`);
  const id = `discovered ${key}`;
  return (
    <tbody data-testid="target-row" data-health={target.health}>
      <tr>
        <td data-label="Endpoint">
          <ExternalLink address={target.globalUrl || target.scrapeUrl} text={target.scrapeUrl} />
        </td>
        <td data-label="State">
          <Badge tone={toneOf(target.health)}>{target.health}</Badge>
        </td>
        <td data-label="Labels">
          <LabelTags labels={target.labels} />{' '}
          <FoldButton open={open} controls={id} onClick={turn} class="small">
            discovered
          </FoldButton>
        </td>
        <td data-label="Last scrape">
          <Ago time={target.lastScrape} />
        </td>
        <td data-label="Duration" class="numeric">
          {target.lastScrapeDuration > 0 ? formatSeconds(target.lastScrapeDuration) : '–'}
        </td>
      </tr>
      {target.lastError && (
        <tr class="below">
          <td colSpan={5}>
            <div class="error-text inline-error">{target.lastError}</div>
          </td>
        </tr>
      )}
      {open && (
        <tr class="below" id={id}>
          <td colSpan={5}>
            <div class="muted">
              Labels before relabelling
              {target.scrapeInterval && (
                <>
                  {' '}
                  · scraped every {target.scrapeInterval}, timeout {target.scrapeTimeout}
                </>
              )}
            </div>
            <LabelTags labels={target.discoveredLabels} />
            <div class="muted">Relabelling, rule by rule</div>
            <RelabelSteps pool={target.scrapePool} discovered={target.discoveredLabels} />
          </td>
        </tr>
      )}
    </tbody>
  );
}

function Dropped({ counts }: { counts: Record<string, number> | null }) {
  const [open, turn] = useFold('dropped targets');
  const total = counts ? Object.values(counts).reduce((sum, n) => sum + n, 0) : null;
  if (total === 0) return null;
  const perPool = Object.entries(counts ?? {})
    .filter(([, n]) => n > 0)
    .map(([pool, n]) => `${pool}: ${formatCount(n)}`)
    .join(', ');
  return (
    <section class="group" aria-label="Dropped targets">
      <h2 class="group-head">
        <FoldButton open={open} controls="dropped" onClick={turn}>
          Dropped by relabelling{' '}
          {total !== null && (
            <span class="muted">
              {formatCount(total)} ({perPool})
            </span>
          )}
        </FoldButton>
      </h2>
      {open && (
        <div id="dropped">
          <DroppedList />
        </div>
      )}
    </section>
  );
}

function DroppedItem({ target }: { target: DroppedTarget }) {
  const [open, setOpen] = useState(false);
  return (
    <li>
      <LabelTags labels={target.discoveredLabels} />{' '}
      {target.scrapePool && (
        <button type="button" class="fold small" aria-expanded={open} onClick={() => setOpen(!open)}>
          <span class="fold-mark" aria-hidden="true" />
          why
        </button>
      )}
      {open && target.scrapePool && <RelabelSteps pool={target.scrapePool} discovered={target.discoveredLabels} />}
    </li>
  );
}

// There may be far more dropped targets than active ones: they are asked for only here, and once.
function DroppedList() {
  const [targets, setTargets] = useState<DroppedTarget[] | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    request<Targets>('targets?state=any', { signal: controller.signal }).then(
      ({ data }) => setTargets(data.droppedTargets ?? []),
      (thrown: unknown) => {
        if (!isAbort(thrown)) setError(asApiError(thrown));
      },
    );
    return () => controller.abort();
  }, []);
  const { shown, rest, showAll } = useLimit(targets ?? [], POOL_SHOWN);
  if (error) return <ErrorBox title="The dropped targets could not be read." error={error} />;
  if (!targets)
    return (
      <p class="waiting" role="status">
        Loading…
      </p>
    );
  if (targets.length === 0) return <p class="muted">None are dropped.</p>;
  return (
    <>
      <ul class="dropped">
        {shown.map((target, i) => (
          <DroppedItem key={i} target={target} />
        ))}
      </ul>
      <More rest={rest} onAll={showAll} />
    </>
  );
}
