// Hierarchy, on a global: the shards below with the freshness of each replica, and the bucket beside.
import { usePoll } from '../api/poll';
import type { Bucket, Hierarchy, Replica, Shard } from '../api/types';
import { useNow } from '../clock';
import { formatSeconds } from '../format/duration';
import { formatBytes, formatCount } from '../format/number';
import { matchesFilter } from '../format/labels';
import { FilterField, Freshness } from '../parts/controls';
import { ExternalLink } from '../parts/link';
import { Ago, Badge, Empty, Loaded, Notice, toneOf } from '../parts/status';
import { blockSpan, newestFirst, totalBytes } from './blocks';
import { freshness } from './freshness';
import { BlockTable, Timeline } from './timeline';
import { useFilters } from './filters';
import { PairSection } from './pair';

export function HierarchyPage() {
  const polled = usePoll<Hierarchy>('hierarchy');
  const { text, setText } = useFilters();
  return (
    <>
      <header class="page-head">
        <h1>Hierarchy</h1>
        <Freshness polled={polled} />
      </header>
      <Loaded polled={polled}>
        {(data) => (
          <>
            <Shards shards={data.shards} at={polled.at} filter={text} onFilter={setText} />
            <PairSection />
            <BucketSection bucket={data.bucket} />
          </>
        )}
      </Loaded>
    </>
  );
}

function Shards({
  shards,
  at,
  filter,
  onFilter,
}: {
  shards: Shard[];
  at: number;
  filter: string;
  onFilter(text: string): void;
}) {
  if (shards.length === 0) {
    return (
      <Empty title="No shards">
        <p>This global’s configuration names none to pull from.</p>
      </Empty>
    );
  }
  const replicas = shards.flatMap((shard) => shard.replicas);
  const up = replicas.filter(({ state }) => state === 'up').length;
  const silent = shards.filter((shard) => !shard.replicas.some(({ state }) => state === 'up')).length;
  const shown = shards.filter(({ name, replicas: own }) =>
    matchesFilter(filter, [name, ...own.flatMap((r) => [r.url, r.state, r.replica, r.lastError])]),
  );
  return (
    <>
      <div class="filter-bar">
        <p class="summary">
          {formatCount(shards.length)} {shards.length === 1 ? 'shard' : 'shards'}, {up} of {replicas.length} replicas up
          {silent > 0 && (
            <>
              {' '}
              · <Badge tone="bad">{silent} out of reach</Badge>
            </>
          )}
        </p>
        {shards.length > 4 && (
          <FilterField label="Filter by shard, address or state" value={filter} onChange={onFilter} />
        )}
      </div>
      {shown.length === 0 && <Empty title="No shard matches the filter" />}
      <div class="shards">
        {shown.map((shard) => (
          <ShardCard key={shard.name} shard={shard} at={at} />
        ))}
      </div>
    </>
  );
}

function ShardCard({ shard, at }: { shard: Shard; at: number }) {
  const up = shard.replicas.filter(({ state }) => state === 'up').length;
  const tone = up === 0 ? 'bad' : up < shard.replicas.length ? 'warn' : 'good';
  return (
    <section
      class={`card tone-${tone}`}
      data-testid="hierarchy-shard"
      data-name={shard.name}
      aria-label={`Shard ${shard.name}`}
    >
      <h2 class="card-head">
        {shard.name}{' '}
        <Badge tone={tone}>
          {up}/{shard.replicas.length} up
        </Badge>
      </h2>
      {shard.replicas.length === 0 && <p class="muted">No replica is known.</p>}
      {shard.replicas.map((replica) => (
        <ReplicaView key={`${replica.replica} ${replica.url}`} replica={replica} at={at} />
      ))}
    </section>
  );
}

function ReplicaView({ replica, at }: { replica: Replica; at: number }) {
  // Data age while the page waits for its next answer, or while the node is away.
  const waited = Math.max(0, (useNow() - at) / 1000);
  const age = replica.freshnessSeconds === null ? null : replica.freshnessSeconds + waited;
  const fresh = freshness(age);
  const pulled = replica.lastPull !== '';
  const clock = clockText(replica.clockAheadSeconds);
  return (
    <div class="replica" data-testid="hierarchy-replica" data-state={replica.state}>
      <div class="replica-head">
        <strong>{replica.replica || 'replica'}</strong>
        <ExternalLink address={replica.url} />
        <Badge tone={toneOf(replica.state)}>{replica.state}</Badge>
      </div>
      <dl class="replica-facts">
        <div>
          <dt>Freshness</dt>
          <dd>
            <Badge tone={fresh.tone}>
              {age === null ? fresh.word : `${fresh.word}, ${formatSeconds(Math.round(age * 10) / 10)}`}
            </Badge>
          </dd>
        </div>
        <div>
          <dt>Newest sample</dt>
          <dd>
            <Ago time={replica.newestSample} never="none yet" />
          </dd>
        </div>
        <div>
          <dt>Last pull</dt>
          <dd>
            <Ago time={replica.lastPull} />
          </dd>
        </div>
        <div>
          <dt>Duration</dt>
          <dd>
            {replica.lastPullDurationSeconds === null || !pulled ? '–' : formatSeconds(replica.lastPullDurationSeconds)}
          </dd>
        </div>
        <div>
          <dt>Samples</dt>
          <dd>{replica.lastPullSamples === null || !pulled ? '–' : formatCount(replica.lastPullSamples)}</dd>
        </div>
        <div>
          <dt>Protocol</dt>
          <dd title={protocolMeaning(replica.protocol)}>{pulled ? replica.protocol || '–' : '–'}</dd>
        </div>
        {clock && (
          <div>
            <dt>Clock</dt>
            <dd>
              <Badge tone="warn">{clock}</Badge>
            </dd>
          </div>
        )}
      </dl>
      {pulled && replica.state === 'up' && replica.protocol === 'text' && (
        <p class="muted">
          Plain federation: only the newest sample of each series is seen, and what comes and goes between two pulls is
          lost.
        </p>
      )}
      {replica.gapUntil && (
        <div class="error-text inline-error">
          Samples from {replica.gapFrom} to {replica.gapUntil} are missing: the replica had deleted them before they
          were pulled.
        </div>
      )}
      {replica.lastError && <div class="error-text inline-error">{replica.lastError}</div>}
    </div>
  );
}

function protocolMeaning(protocol: string): string | undefined {
  switch (protocol) {
    case 'cursor':
      return 'Everything that was committed since the last pull';
    case 'text':
      return 'The newest sample of each series';
    default:
      return undefined;
  }
}

// What a person should know of a replica's clock. A pull takes a moment, so small differences say nothing.
function clockText(ahead: number | null): string | null {
  if (ahead === null || Math.abs(ahead) < 1) return null;
  return `${formatSeconds(Math.round(Math.abs(ahead) * 10) / 10)} ${ahead > 0 ? 'ahead' : 'behind'}`;
}

function BucketSection({ bucket }: { bucket: Bucket | null }) {
  return (
    <section class="group" aria-label="Bucket" data-testid="hierarchy-bucket" data-blocks={bucket?.blocks.length ?? 0}>
      <h2 class="group-head">Bucket {bucket && <code class="muted group-file">{bucket.url}</code>}</h2>
      {bucket ? (
        <BucketView bucket={bucket} />
      ) : (
        <Empty title="No bucket">
          <p>This global keeps its blocks on its own disk only.</p>
        </Empty>
      )}
    </section>
  );
}

function BucketView({ bucket }: { bucket: Bucket }) {
  const span = blockSpan(bucket.blocks);
  return (
    <>
      {bucket.lastError && (
        <Notice tone="bad" title="The latest access failed:">
          {bucket.lastError}
        </Notice>
      )}
      <dl class="replica-facts bucket-facts">
        <div>
          <dt>Blocks</dt>
          <dd>{formatCount(bucket.blocks.length)}</dd>
        </div>
        <div>
          <dt>Size</dt>
          <dd>{formatBytes(totalBytes(bucket.blocks))}</dd>
        </div>
        <div>
          <dt>Samples</dt>
          <dd>{formatCount(bucket.blocks.reduce((sum, block) => sum + block.samples, 0))}</dd>
        </div>
        <div>
          <dt>Time covered</dt>
          <dd>{span ? formatSeconds((span.maxTime - span.minTime) / 1000) : '–'}</dd>
        </div>
        <div>
          <dt>Last upload</dt>
          <dd>
            <Ago time={bucket.lastUpload} />
          </dd>
        </div>
      </dl>
      {bucket.blocks.length === 0 ? (
        <Empty title="No blocks yet">
          <p>The first is uploaded when its time range is complete.</p>
        </Empty>
      ) : (
        <>
          <Timeline blocks={bucket.blocks} />
          <BlockTable blocks={newestFirst(bucket.blocks)} />
        </>
      )}
    </>
  );
}
