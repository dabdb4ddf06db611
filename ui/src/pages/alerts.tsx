// Alerts: alerting rules by group, with the alerts each of them has active.
import { usePoll } from '../api/poll';
import type { Alert, Rule, RuleGroup, Rules } from '../api/types';
import { formatDuration } from '../format/duration';
import { filterTexts, matchesFilter } from '../format/labels';
import { formatCount, formatSI, parseSampleValue } from '../format/number';
import {
  More,
  GROUPS_SHOWN,
  type Choice,
  FilterField,
  FoldButton,
  Freshness,
  Toggles,
  toggled,
  useFold,
  useLimit,
} from '../parts/controls';
import { ExternalLink } from '../parts/link';
import { LabelTags } from '../parts/series';
import { Ago, Badge, Empty, Loaded, toneOf } from '../parts/status';
import { ExpressionLink } from './expression';
import { type Filters, stateShown, useFilters } from './filters';

const STATES = ['firing', 'pending', 'inactive'] as const;

export function AlertsPage() {
  const polled = usePoll<Rules>('rules?type=alert');
  const filters = useFilters();
  return (
    <>
      <header class="page-head">
        <h1>Alerts</h1>
        <Freshness polled={polled} />
      </header>
      <Loaded polled={polled}>{({ groups }) => <AlertGroups groups={groups} filters={filters} />}</Loaded>
    </>
  );
}

function AlertGroups({ groups, filters }: { groups: RuleGroup[]; filters: Filters }) {
  const alerting = groups.map((group) => ({ ...group, rules: group.rules.filter(({ type }) => type === 'alerting') }));
  const rules = alerting.flatMap((group) => group.rules);
  const choices: Choice[] = STATES.map((state) => ({
    id: state,
    label: state,
    tone: toneOf(state),
    count: rules.filter((rule) => rule.state === state).length,
  }));
  const shown = alerting
    .map((group) => ({ group, rules: group.rules.filter((rule) => ruleShown(rule, group, filters)) }))
    .filter((each) => each.rules.length > 0);
  const page = useLimit(shown, GROUPS_SHOWN);
  if (rules.length === 0) {
    return (
      <Empty title="No alerting rules">
        <p>
          The configuration’s <code>rule_files</code> define none.
        </p>
      </Empty>
    );
  }
  return (
    <>
      <div class="filter-bar">
        <Toggles
          label="States"
          choices={choices}
          chosen={filters.states}
          onToggle={(id) => filters.setStates(toggled(filters.states, id))}
        />
        <FilterField label="Filter by name, label or annotation" value={filters.text} onChange={filters.setText} />
      </div>
      {shown.length === 0 && <Empty title="No alerting rule matches the filter" />}
      {page.shown.map(({ group, rules: matching }) => (
        <section class="group" key={`${group.file} ${group.name}`} aria-label={`Group ${group.name}`}>
          <h2 class="group-head">
            {group.name} <span class="muted group-file">{group.file}</span>
          </h2>
          {/* Names need not be unique in a group; the place among those of one name is. */}
          {matching.map((rule) => (
            <AlertRule key={ruleKey(rule, group)} id={ruleKey(rule, group)} rule={rule} />
          ))}
        </section>
      ))}
      <More rest={page.rest} what="more groups" onAll={page.showAll} />
    </>
  );
}

function ruleKey(rule: Rule, group: RuleGroup): string {
  return `${group.file} ${group.name} ${group.rules.indexOf(rule)} ${rule.name}`;
}

function ruleShown(rule: Rule, group: RuleGroup, { text, states }: Filters): boolean {
  if (!stateShown(states, rule.state ?? 'unknown')) return false;
  if (text.trim() === '') return true;
  const active = (rule.alerts ?? []).flatMap(({ labels }) => filterTexts(labels));
  return matchesFilter(text, [
    rule.name,
    group.name,
    group.file,
    ...filterTexts(rule.labels ?? {}),
    ...Object.values(rule.annotations ?? {}),
    ...active,
  ]);
}

function AlertRule({ rule, id }: { rule: Rule; id: string }) {
  const [open, turn] = useFold(`alert ${id}`);
  const state = rule.state ?? 'unknown';
  const alerts = rule.alerts ?? [];
  return (
    <div class={`rule tone-${toneOf(state)}`} data-testid="alert-row" data-state={state}>
      <FoldButton open={open} controls={id} onClick={turn} class="rule-head">
        <span class="rule-name">{rule.name}</span>
        {rule.health === 'err' && <Badge tone="bad">evaluation fails</Badge>}
        <span class="rule-state">
          {alerts.length > 0 && <span class="muted">{formatCount(alerts.length)} active</span>}
          <Badge tone={toneOf(state)}>{state}</Badge>
        </span>
      </FoldButton>
      {open && (
        <div class="rule-body" id={id}>
          {rule.lastError && (
            <div class="banner tone-bad" role="alert">
              {rule.lastError}
            </div>
          )}
          <dl class="facts-list">
            <dt>Expression</dt>
            <dd>
              <ExpressionLink expr={rule.query} graph />
            </dd>
            {(rule.duration ?? 0) > 0 && (
              <>
                <dt>For</dt>
                <dd>{formatDuration((rule.duration ?? 0) * 1000)}</dd>
              </>
            )}
            {(rule.keepFiringFor ?? 0) > 0 && (
              <>
                <dt>Keep firing for</dt>
                <dd>{formatDuration((rule.keepFiringFor ?? 0) * 1000)}</dd>
              </>
            )}
            <dt>Labels</dt>
            <dd>
              <LabelTags labels={rule.labels} />
            </dd>
            {Object.entries(rule.annotations ?? {}).map(([name, text]) => [
              <dt key={`${name} name`}>{name}</dt>,
              <dd key={name}>
                <ExternalLink address={text} />
              </dd>,
            ])}
          </dl>
          {alerts.length > 0 && <ActiveAlerts alerts={alerts} />}
        </div>
      )}
    </div>
  );
}

function ActiveAlerts({ alerts }: { alerts: Alert[] }) {
  const { shown, rest, showAll } = useLimit(alerts, 100);
  return (
    <>
      <table class="stackable">
        <thead>
          <tr>
            <th scope="col">Labels</th>
            <th scope="col">State</th>
            <th scope="col">Active since</th>
            <th scope="col" class="numeric">
              Value
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((alert) => (
            <ActiveAlert key={JSON.stringify(alert.labels)} alert={alert} />
          ))}
        </tbody>
      </table>
      <More rest={rest} onAll={showAll} />
    </>
  );
}

function ActiveAlert({ alert }: { alert: Alert }) {
  const value = parseSampleValue(alert.value);
  return (
    <tr data-testid="alert-instance" data-state={alert.state}>
      <td data-label="Labels">
        <LabelTags labels={alert.labels} omit={['alertname']} />
        {Object.entries(alert.annotations).map(([name, text]) => (
          <div class="annotation" key={name}>
            <span class="muted">{name}:</span> <ExternalLink address={text} />
          </div>
        ))}
      </td>
      <td data-label="State">
        <Badge tone={toneOf(alert.state)}>{alert.state}</Badge>
        {alert.keepFiringSince && (
          <div class="muted">
            kept firing since <Ago time={alert.keepFiringSince} />
          </div>
        )}
      </td>
      <td data-label="Active since">
        <Ago time={alert.activeAt} />
      </td>
      <td data-label="Value" class="numeric" title={alert.value}>
        {formatSI(value, 5)}
      </td>
    </tr>
  );
}
