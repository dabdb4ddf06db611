// Relabelling rule by rule: what each rule says, and what it changed.
import type { Labels, RelabelRule, RelabelStep } from '../api/types';

/** One label that a rule changed: `before` is null where it was not there, `after` where it is gone. */
export interface Change {
  name: string;
  before: string | null;
  after: string | null;
}

/** A rule on one line. */
export function ruleText(rule: RelabelRule): string {
  const source = rule.source_labels?.length ? ` [${rule.source_labels.join(', ')}]` : '';
  const regex = ` =~ ${JSON.stringify(rule.regex)}`;
  const target = ` → ${rule.target_label ?? ''}`;
  switch (rule.action) {
    case 'replace':
      return `replace${source}${regex}${target} = ${JSON.stringify(rule.replacement)}`;
    case 'keepequal':
    case 'dropequal':
      return `${rule.action}${source} == ${rule.target_label ?? ''}`;
    case 'hashmod':
      return `hashmod${source} modulo ${rule.modulus ?? 0}${target}`;
    case 'labelmap':
      return `labelmap${regex} → ${JSON.stringify(rule.replacement)}`;
    case 'lowercase':
    case 'uppercase':
      return `${rule.action}${source}${target}`;
    default:
      return `${rule.action}${source}${regex}`;
  }
}

/** What a step changed of the labels before it, sorted by name. */
export function changes(before: Labels, after: Labels): Change[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .map((name) => ({ name, before: before[name] ?? null, after: after[name] ?? null }))
    .filter((change) => change.before !== change.after);
}

/** Each step with what it changed, up to the one that drops the target. */
export function traced(discovered: Labels, steps: readonly RelabelStep[]): { step: RelabelStep; changes: Change[] }[] {
  const end = steps.findIndex(({ keep }) => !keep);
  const shown = end < 0 ? steps : steps.slice(0, end + 1);
  return shown.map((step, at) => ({
    step,
    changes: step.keep ? changes(at === 0 ? discovered : (shown[at - 1]?.output ?? {}), step.output) : [],
  }));
}
