import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyPanel, formatPanels, type Panel, parsePanels } from './url';

test("Prometheus's old and new parameters are read", () => {
  const [panel] = parsePanels(
    '?g0.expr=up&g0.tab=0&g0.stacked=1&g0.range_input=2h&g0.end_input=2026-11-21%2002%3A20&g0.step_input=15',
  );
  assert.deepEqual(panel, {
    expr: 'up',
    tab: 'graph',
    rangeMs: 7_200_000,
    endMs: Date.UTC(2026, 10, 21, 2, 20),
    momentMs: null,
    stepMs: 15_000,
    stacked: true,
    explained: false,
  });
  const [modern] = parsePanels(
    '?g0.expr=up&g0.tab=graph&g0.display_mode=stacked&g0.res_step=30s&g0.moment_input=2026-11-21+00%3A00%3A00',
  );
  assert.equal(modern?.tab, 'graph');
  assert.equal(modern?.stacked, true);
  assert.equal(modern?.stepMs, 30_000);
  assert.equal(modern?.momentMs, Date.UTC(2026, 10, 21));
});

test('several panels come in the order of their numbers, with gaps closed', () => {
  const panels = parsePanels('?g3.expr=c&g0.expr=a&g1.expr=b&g1.tab=0');
  assert.deepEqual(
    panels.map(({ expr, tab }) => [expr, tab]),
    [
      ['a', 'table'],
      ['b', 'graph'],
      ['c', 'table'],
    ],
  );
});

test('nonsense counts as absent', () => {
  const [panel] = parsePanels(
    '?g0.expr=up&g0.tab=9&g0.range_input=long&g0.end_input=soon&g0.step_input=-1&gx.expr=no&unrelated=1',
  );
  assert.deepEqual(panel, { ...emptyPanel(), expr: 'up' });
  assert.deepEqual(parsePanels(''), [emptyPanel()]);
});

test('a link reproduces the panels', () => {
  const panels: Panel[] = [
    {
      expr: 'sum by (job) (rate(x{a="b&c"}[5m]))',
      tab: 'graph',
      rangeMs: 5_400_000,
      endMs: Date.UTC(2026, 10, 21, 2, 20, 5, 120),
      momentMs: null,
      stepMs: 500,
      stacked: true,
      explained: true,
    },
    {
      expr: 'up\n# note',
      tab: 'table',
      rangeMs: 3_600_000,
      endMs: null,
      momentMs: Date.UTC(2026, 0, 1),
      stepMs: null,
      stacked: false,
      explained: false,
    },
  ];
  assert.deepEqual(parsePanels(formatPanels(panels)), panels);
});

test('an untouched page has no parameters; an empty graph panel keeps its tab', () => {
  assert.equal(formatPanels([emptyPanel()]), '');
  assert.equal(parsePanels(formatPanels([{ ...emptyPanel(), tab: 'graph' }]))[0]?.tab, 'graph');
});
