// An expression in a rule, leading to the query page.
import { queryHref } from '../router';

export function ExpressionLink({ expr, graph = false }: { expr: string; graph?: boolean }) {
  return (
    <a class="expression" data-route href={queryHref(expr, graph)} title="Open on the query page">
      <code>{expr}</code>
    </a>
  );
}
