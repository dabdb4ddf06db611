// Query: one or more panels, whose state is the address.
import { useEffect, useRef } from 'preact/hooks';
import { PanelView } from '../query/panel';
import { type Panel, emptyPanel, formatPanels, parsePanels } from '../query/url';
import { firstPage, location, navigate } from '../router';
import { useStore } from '../store';

export function QueryPage() {
  const { search } = useStore(location);
  const panels = parsePanels(search);
  const ids = usePanelIds(panels.length);
  // The editor takes the keyboard when the browser opens this page, not when a person comes from another one by keys.
  const fresh = useRef(firstPage()).current;
  const show = (next: readonly Panel[]): void => navigate('query', formatPanels(next));

  useEffect(() => {
    const first = panels[0]?.expr.replace(/\s+/g, ' ').slice(0, 60);
    document.title = first ? `${first} · Watershed` : 'Query · Watershed';
  }, [search]);

  return (
    <>
      <h1 class="visually-hidden">Query</h1>
      {panels.map((panel, i) => (
        <PanelView
          key={ids.current[i]}
          id={`panel-${ids.current[i]}`}
          panel={panel}
          autoFocus={i === 0 && fresh}
          removable={panels.length > 1}
          onChange={(changed) => show(panels.map((other, j) => (j === i ? changed : other)))}
          onRemove={() => {
            ids.current.splice(i, 1);
            show(panels.filter((_, j) => j !== i));
          }}
        />
      ))}
      <p>
        <button
          type="button"
          class="button"
          onClick={() => show([...panels, { ...emptyPanel(), tab: panels[panels.length - 1]?.tab ?? 'table' }])}
        >
          Add panel
        </button>
      </p>
    </>
  );
}

// Panels are numbered by their place in the address; an identity of their own keeps each editor with its panel when one before it goes.
function usePanelIds(count: number): { current: number[] } {
  const ids = useRef<number[]>([]);
  const next = useRef(0);
  while (ids.current.length < count) ids.current.push(next.current++);
  ids.current.length = count;
  return ids;
}
