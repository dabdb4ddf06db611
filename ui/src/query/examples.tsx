// What the page offers before anything was asked.
import { Empty } from '../parts/status';

const EXAMPLES: ReadonlyArray<readonly [string, string]> = [
  ['up', 'which targets answer'],
  ['sum by (job) (up)', 'answering targets of each job'],
  ['ALERTS{alertstate="firing"}', 'alerts firing now'],
  ['topk(10, scrape_duration_seconds)', 'the slowest scrapes'],
  ['topk(10, count by (__name__) ({__name__=~".+"}))', 'metrics with most series'],
];

export function Examples({ onPick }: { onPick(expr: string): void }) {
  return (
    <Empty title="No query yet">
      <p>Write an expression above, or start with one of these:</p>
      <ul class="examples">
        {EXAMPLES.map(([expr, meaning]) => (
          <li key={expr}>
            <button type="button" class="example" onClick={() => onPick(expr)}>
              <code>{expr}</code>
            </button>
            <span class="muted">{meaning}</span>
          </li>
        ))}
      </ul>
    </Empty>
  );
}
