// Rules: every group with its rules, how long they take and whether they work.
import { usePoll } from '../api/poll';
import type { Rule, RuleGroup, Rules } from '../api/types';
import { formatDuration, formatSeconds } from '../format/duration';
import { filterTexts, matchesFilter } from '../format/labels';
import { More, GROUPS_SHOWN, type Choice, FilterField, Freshness, Toggles, toggled, useLimit } from '../parts/controls';
import { LabelTags } from '../parts/series';
import { Ago, Badge, Empty, Loaded, toneOf } from '../parts/status';
import { ExpressionLink } from './expression';
import { type Filters, stateShown, useFilters } from './filters';

const HEALTH: Readonly<Record<string, string>> = { ok: 'ok', err: 'error', unknown: 'not evaluated' };

export function RulesPage() {
  const polled = usePoll<Rules>('rules');
  const filters = useFilters();
  return (
    <>
      <header class="page-head">
        <h1>Rules</h1>
        <Freshness polled={polled} />
      </header>
      <Loaded polled={polled}>{({ groups }) => <RuleGroups groups={groups} filters={filters} />}</Loaded>
    </>
  );
}

function RuleGroups({ groups, filters }: { groups: RuleGroup[]; filters: Filters }) {
  const rules = groups.flatMap((group) => group.rules);
  const choices: Choice[] = ['ok', 'err', 'unknown'].map((id) => ({
    id,
    label: HEALTH[id] ?? id,
    tone: toneOf(id),
    count: rules.filter((rule) => rule.health === id).length,
  }));
  const shown = groups
    .map((group) => ({ group, rules: group.rules.filter((rule) => ruleShown(rule, group, filters)) }))
    .filter((each) => each.rules.length > 0);
  const page = useLimit(shown, GROUPS_SHOWN);
  if (groups.length === 0) {
    return (
      <Empty title="No rules">
        <p>
          The configuration’s <code>rule_files</code> name no file with a group.
        </p>
      </Empty>
    );
  }
  return (
    <>
      <div class="filter-bar">
        <Toggles
          label="Health"
          choices={choices}
          chosen={filters.states}
          onToggle={(id) => filters.setStates(toggled(filters.states, id))}
        />
        <FilterField label="Filter by name, expression or label" value={filters.text} onChange={filters.setText} />
      </div>
      {shown.length === 0 && <Empty title="No rule matches the filter" />}
      {page.shown.map(({ group, rules: matching }) => (
        <Group key={`${group.file} ${group.name}`} group={group} rules={matching} />
      ))}
      <More rest={page.rest} what="more groups" onAll={page.showAll} />
    </>
  );
}

function ruleShown(rule: Rule, group: RuleGroup, { text, states }: Filters): boolean {
  if (!stateShown(states, rule.health)) return false;
  return matchesFilter(text, [
    rule.name,
    rule.query,
    group.name,
    group.file,
    rule.lastError ?? '',
    ...filterTexts(rule.labels ?? {}),
  ]);
}

function Group({ group, rules }: { group: RuleGroup; rules: Rule[] }) {
  // A group that takes longer than its interval misses evaluations.
  const late = group.interval > 0 && group.evaluationTime > group.interval;
  return (
    <section class="group" aria-label={`Group ${group.name}`}>
      <h2 class="group-head">
        {group.name} <span class="muted group-file">{group.file}</span>
        <span class="group-facts">
          every {formatDuration(group.interval * 1000)} · evaluated <Ago time={group.lastEvaluation} /> · took{' '}
          {formatSeconds(group.evaluationTime)}
          {late && (
            <>
              {' '}
              <Badge tone="bad">longer than its interval</Badge>
            </>
          )}
        </span>
      </h2>
      <table class="stackable rules">
        <thead>
          <tr>
            <th scope="col">Rule</th>
            <th scope="col">Health</th>
            <th scope="col">Last evaluation</th>
            <th scope="col" class="numeric">
              Duration
            </th>
          </tr>
        </thead>
        <tbody>
          {rules.map((rule) => (
            <RuleRow key={`${group.rules.indexOf(rule)} ${rule.name}`} rule={rule} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function RuleRow({ rule }: { rule: Rule }) {
  const labels = rule.labels ?? {};
  const timing = [
    (rule.duration ?? 0) > 0 && `for ${formatDuration((rule.duration ?? 0) * 1000)}`,
    (rule.keepFiringFor ?? 0) > 0 && `keep firing for ${formatDuration((rule.keepFiringFor ?? 0) * 1000)}`,
  ]
    .filter(Boolean)
    .join(', ');
  return (
    <tr data-testid="rule-row" data-health={rule.health}>
      <td data-label="Rule">
        <div class="rule-title">
          <span class="kind">{rule.type === 'alerting' ? 'alert' : 'record'}</span>
          <span class="rule-name">{rule.name}</span>
          {timing && <span class="muted">{timing}</span>}
        </div>
        <ExpressionLink expr={rule.query} graph />
        {Object.keys(labels).length > 0 && (
          <div>
            <LabelTags labels={labels} />
          </div>
        )}
        {rule.lastError && <div class="error-text inline-error">{rule.lastError}</div>}
      </td>
      <td data-label="Health">
        <Badge tone={toneOf(rule.health)}>{HEALTH[rule.health] ?? rule.health}</Badge>
      </td>
      <td data-label="Last evaluation">
        <Ago time={rule.lastEvaluation} />
      </td>
      <td data-label="Duration" class="numeric">
        {formatSeconds(rule.evaluationTime)}
      </td>
    </tr>
  );
}
