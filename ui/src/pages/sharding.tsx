// Sharding, on a shard that shares its targets with others: the members, and who scrapes what.
import { usePoll } from '../api/poll';
import type { Sharding, ShardingMember, SharedTarget } from '../api/types';
import { formatSeconds } from '../format/duration';
import { filterTexts, matchesFilter } from '../format/labels';
import { formatCount } from '../format/number';
import { FilterField, Freshness, useLimit, More } from '../parts/controls';
import { ExternalLink } from '../parts/link';
import { LabelTags } from '../parts/series';
import { Badge, Empty, Loaded, Notice, toneOf } from '../parts/status';
import { href } from '../router';
import { useStore } from '../store';
import { tier } from '../tier';
import { type Filters, useFilters } from './filters';

/** Targets rendered before a person asks for the rest. */
const TARGETS_SHOWN = 200;

export function ShardingPage() {
  const polled = usePoll<Sharding | null>('sharding');
  const filters = useFilters();
  return (
    <>
      <header class="page-head">
        <h1>Sharding</h1>
        <Freshness polled={polled} />
      </header>
      <Loaded polled={polled}>
        {(data) =>
          data === null ? (
            <Empty title="This node shares its targets with nobody">
              <p>
                Its configuration has no section <code>sharding</code>: every target that it finds is scraped here.
              </p>
            </Empty>
          ) : (
            <>
              <Summary data={data} />
              <Members data={data} filters={filters} />
              <Targets data={data} filters={filters} />
            </>
          )
        }
      </Loaded>
    </>
  );
}

/** On the page of targets, where they are shared: how many others there are, and where to see who has what. */
export function SharingNote() {
  return useStore(tier) === 'global' ? null : <SharingOfShard />;
}

function SharingOfShard() {
  const { data } = usePoll<Sharding | null>('sharding?limit=1');
  if (!data) return null;
  const silent = data.members.filter(({ state }) => state === 'silent').length;
  const own = data.members.find(({ name }) => name === data.name);
  return (
    <Notice tone={silent > 0 ? 'warn' : 'info'}>
      {data.members.length} shards share {formatCount(data.targetCount)} {data.targetCount === 1 ? 'target' : 'targets'}
      , {formatCount(own?.targetCount ?? 0)} of them here.{' '}
      {silent > 0 && `${silent} ${silent === 1 ? 'is' : 'are'} silent. `}
      <a href={href('sharding')} data-route>
        Who has what
      </a>
    </Notice>
  );
}

function Summary({ data }: { data: Sharding }) {
  const serving = data.members.filter(({ state }) => state === 'serving').length;
  return (
    <p class="summary">
      {serving} of {data.members.length} shards serve · each of {formatCount(data.targetCount)} targets is scraped by{' '}
      {data.replicationFactor} · others take over after {formatSeconds(data.takeoverAfterSeconds)} of silence
    </p>
  );
}

function Members({ data, filters }: { data: Sharding; filters: Filters }) {
  return (
    <section class="group" aria-label="Shards">
      <table class="stackable">
        <thead>
          <tr>
            <th scope="col">Shard</th>
            <th scope="col">State</th>
            <th scope="col" class="numeric">
              Targets
            </th>
            <th scope="col">Last answer</th>
            <th scope="col">Sees serving</th>
          </tr>
        </thead>
        {data.members.map((member) => (
          <MemberRow
            key={member.name}
            member={member}
            own={member.name === data.name}
            onShow={() => filters.setText(member.name)}
          />
        ))}
      </table>
    </section>
  );
}

function MemberRow({ member, own, onShow }: { member: ShardingMember; own: boolean; onShow(): void }) {
  return (
    <tbody data-testid="sharding-member" data-name={member.name} data-state={member.state}>
      <tr>
        <td data-label="Shard">
          {own ? (
            <>
              {member.name} <span class="muted">(this one)</span>
            </>
          ) : (
            <ExternalLink address={member.url} text={member.name} />
          )}
        </td>
        <td data-label="State">
          <Badge tone={toneOf(member.state)}>{member.state}</Badge>
        </td>
        <td data-label="Targets" class="numeric">
          <button type="button" class="button quiet" title={`Show the targets of ${member.name}`} onClick={onShow}>
            {formatCount(member.targetCount)}
          </button>
        </td>
        <td data-label="Last answer">
          {own
            ? '–'
            : member.lastAnswerSeconds === null
              ? 'never'
              : `${formatSeconds(round(member.lastAnswerSeconds))} ago`}
        </td>
        <td data-label="Sees serving">{member.serving.join(', ') || '–'}</td>
      </tr>
      {member.lastError && (
        <tr class="below">
          <td colSpan={5}>
            <div class="error-text inline-error">{member.lastError}</div>
          </td>
        </tr>
      )}
    </tbody>
  );
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}

function targetShown(target: SharedTarget, text: string): boolean {
  return matchesFilter(text, [target.scrapePool, target.scrapeUrl, ...target.owners, ...filterTexts(target.labels)]);
}

function Targets({ data, filters }: { data: Sharding; filters: Filters }) {
  const matching = data.targets.filter((target) => targetShown(target, filters.text));
  const { shown, rest, showAll } = useLimit(matching, TARGETS_SHOWN);
  if (data.targets.length === 0) {
    return (
      <Empty title="No target is shared">
        <p>
          Targets at a loopback address, and those of <code>unshared_jobs</code>, are scraped by every shard.
        </p>
      </Empty>
    );
  }
  return (
    <>
      <div class="filter-bar">
        <FilterField label="Filter by shard, job, endpoint or label" value={filters.text} onChange={filters.setText} />
      </div>
      {matching.length === 0 && <Empty title="No target matches the filter" />}
      {matching.length > 0 && (
        <section class="group" aria-label="Targets">
          <table class="stackable shared-targets">
            <thead>
              <tr>
                <th scope="col">Endpoint</th>
                <th scope="col">Job</th>
                <th scope="col">Scraped by</th>
                <th scope="col">Labels</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((target) => (
                <tr
                  key={`${target.scrapePool} ${target.scrapeUrl} ${JSON.stringify(target.labels)}`}
                  data-testid="shared-target"
                >
                  <td data-label="Endpoint">
                    <ExternalLink address={target.scrapeUrl} />
                  </td>
                  <td data-label="Job">{target.scrapePool}</td>
                  <td data-label="Scraped by">
                    {target.owners.length === 0 ? <Badge tone="bad">nobody</Badge> : target.owners.join(', ')}
                  </td>
                  <td data-label="Labels">
                    <LabelTags labels={target.labels} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <More rest={rest} onAll={showAll} />
        </section>
      )}
    </>
  );
}
