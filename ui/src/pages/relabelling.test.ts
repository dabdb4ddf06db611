import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RelabelRule } from '../api/types';
import { ruleText, traced } from './relabelling';

function rule(action: string, more: Partial<RelabelRule> = {}): RelabelRule {
  return { action, separator: ';', regex: '(.*)', replacement: '$1', ...more };
}

test('a rule is told on one line', () => {
  const replace = rule('replace', { source_labels: ['a', 'b'], target_label: 'c' });
  assert.equal(ruleText(replace), 'replace [a, b] =~ "(.*)" → c = "$1"');
  assert.equal(
    ruleText(rule('hashmod', { source_labels: ['a'], modulus: 4, target_label: 'h' })),
    'hashmod [a] modulo 4 → h',
  );
  assert.equal(ruleText(rule('labeldrop', { regex: '__x.*' })), 'labeldrop =~ "__x.*"');
  assert.equal(ruleText(rule('keepequal', { source_labels: ['a'], target_label: 'b' })), 'keepequal [a] == b');
});

test('steps show what they changed, up to the one that drops the target', () => {
  const steps = [
    { rule: rule('replace', { target_label: 'b' }), output: { a: '1', b: '1' }, keep: true },
    { rule: rule('labeldrop'), output: { b: '1' }, keep: true },
    { rule: rule('drop'), output: {}, keep: false },
    { rule: rule('replace'), output: {}, keep: false },
  ];
  const shown = traced({ a: '1' }, steps).map(({ step, changes }) => [step.rule.action, changes]);
  assert.deepEqual(shown, [
    ['replace', [{ name: 'b', before: null, after: '1' }]],
    ['labeldrop', [{ name: 'a', before: '1', after: null }]],
    ['drop', []],
  ]);
});
