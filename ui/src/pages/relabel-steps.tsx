// What relabelling did to a target, asked for when a person wants to know.
import { useEffect, useState } from 'preact/hooks';
import { type ApiError, asApiError, isAbort, request } from '../api/client';
import type { Labels, RelabelStep } from '../api/types';
import { ErrorBox } from '../parts/status';
import { type Change, ruleText, traced } from './relabelling';

export function RelabelSteps({ pool, discovered }: { pool: string; discovered: Labels }) {
  const [steps, setSteps] = useState<RelabelStep[] | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const labels = JSON.stringify(discovered);
  useEffect(() => {
    const controller = new AbortController();
    const query = new URLSearchParams({ scrapePool: pool, labels });
    request<{ steps: RelabelStep[] }>(`targets/relabel_steps?${query}`, { signal: controller.signal }).then(
      ({ data }) => setSteps(data.steps),
      (thrown: unknown) => {
        if (!isAbort(thrown)) setError(asApiError(thrown));
      },
    );
    return () => controller.abort();
  }, [pool, labels]);
  if (error) return <ErrorBox title="The rules could not be tried." error={error} />;
  if (!steps) {
    return (
      <p class="waiting" role="status">
        Loading…
      </p>
    );
  }
  if (steps.length === 0) return <p class="muted">The job has no relabelling rules.</p>;
  return (
    <ol class="relabel-steps" data-testid="relabel-steps">
      {traced(discovered, steps).map(({ step, changes }, at) => (
        <li key={at}>
          <code>{ruleText(step.rule)}</code>
          {!step.keep ? (
            <div class="error-text">drops it</div>
          ) : changes.length === 0 ? (
            <div class="muted">changes nothing</div>
          ) : (
            changes.map((change) => <ChangeView key={change.name} change={change} />)
          )}
        </li>
      ))}
    </ol>
  );
}

function ChangeView({ change: { name, before, after } }: { change: Change }) {
  const quoted = (value: string) => JSON.stringify(value);
  return (
    <div class="relabel-change">
      {after === null ? '− ' : before === null ? '+ ' : '~ '}
      <code>
        {name}={quoted(after ?? before ?? '')}
      </code>
      {before !== null && after !== null && <span class="muted"> was {quoted(before)}</span>}
    </div>
  );
}
