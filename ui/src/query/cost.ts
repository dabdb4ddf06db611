// What the parts of a query cost, as the rows of a table: the tree from the root down, with each part's share of the whole.
import type { ExplainedNode } from '../api/types';

/** One part of the expression. */
export interface CostRow {
  node: ExplainedNode;
  /** How many parts it is below the whole. */
  depth: number;
  /** Its own time and that with what is below it, as parts of the whole's, 0 to 1. */
  ownShare: number;
  totalShare: number;
  /** Whether much of the whole's time is its own. */
  expensive: boolean;
}

/** A part whose own time is at least this much of the whole's stands out, if it is long enough for a person to care. */
const EXPENSIVE_SHARE = 0.25;
const EXPENSIVE_SECONDS = 0.001;

/** The rows of an explanation. Trees are deep where operators are chained, so nothing here is recursive. */
export function toCostRows(root: ExplainedNode): CostRow[] {
  const share = (seconds: number): number =>
    root.totalSeconds > 0 ? Math.min(Math.max(seconds / root.totalSeconds, 0), 1) : 0;
  const rows: CostRow[] = [];
  const waiting: Array<{ node: ExplainedNode; depth: number }> = [{ node: root, depth: 0 }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { node, depth } = next;
    const ownShare = share(node.selfSeconds);
    const long = ownShare >= EXPENSIVE_SHARE && node.selfSeconds >= EXPENSIVE_SECONDS;
    rows.push({
      node,
      depth,
      ownShare,
      totalShare: share(node.totalSeconds),
      expensive: long && root.children.length > 0,
    });
    for (const child of [...node.children].reverse()) waiting.push({ node: child, depth: depth + 1 });
  }
  return rows;
}

/** A share for reading: `38%`, and `<1%` where it is something and rounds to nothing. */
export function formatShare(share: number): string {
  const percent = Math.round(share * 100);
  return percent === 0 && share > 0 ? '<1%' : `${percent}%`;
}
