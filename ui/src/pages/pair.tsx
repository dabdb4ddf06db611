// The pair of globals, on the hierarchy page: whether both hold the same.
import { usePoll } from '../api/poll';
import type { Consistency } from '../api/types';
import { formatSeconds } from '../format/duration';
import { ExternalLink } from '../parts/link';
import { Badge } from '../parts/status';
import { agreement, differing } from './agreement';

/** Nothing where the global has no peer: then there is nothing to compare. */
export function PairSection() {
  const { data } = usePoll<Consistency>('consistency');
  if (!data || data.peerUrl === '') return null;
  const { tone, word } = agreement(data);
  const windows = differing(data);
  return (
    <div class="shards">
      <section
        class={`card tone-${tone}`}
        aria-label="Pair of globals"
        data-testid="hierarchy-pair"
        data-agrees={String(data.agrees)}
      >
        <h2 class="card-head">
          Pair <Badge tone={tone}>{word}</Badge>
        </h2>
        <div class="replica">
          <div class="replica-head">
            <strong>{data.peer?.name || 'peer'}</strong>
            <ExternalLink address={data.peerUrl} />
            <Badge tone={data.peerError ? 'bad' : data.peer ? 'good' : 'none'}>
              {data.peerError ? 'down' : data.peer ? 'up' : 'unknown'}
            </Badge>
          </div>
          <dl class="replica-facts">
            <div>
              <dt>This global</dt>
              <dd>{data.own.name}</dd>
            </div>
            <div>
              <dt title="How far the pulls of the two are apart at most">Distance</dt>
              <dd>{data.distanceSeconds === null ? '–' : formatSeconds(Math.round(data.distanceSeconds * 10) / 10)}</dd>
            </div>
            <div>
              <dt title="Recent minutes that are complete at both">Compared</dt>
              <dd>
                {data.windows.length} {data.windows.length === 1 ? 'window' : 'windows'}
              </dd>
            </div>
          </dl>
          {windows && <div class="error-text inline-error">{windows}</div>}
          {data.peerError && <div class="error-text inline-error">{data.peerError}</div>}
        </div>
      </section>
    </div>
  );
}
