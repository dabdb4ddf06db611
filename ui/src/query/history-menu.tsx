// The menu of expressions that were run before.
import { useEffect, useRef, useState } from 'preact/hooks';
import { forgetQueries, pastQueries } from './history';

export function HistoryMenu({ id, onPick }: { id: string; onPick(expr: string): void }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    root.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus();
    const closeOutside = (event: Event): void => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', closeOutside);
    return () => document.removeEventListener('pointerdown', closeOutside);
  }, [open]);
  const past = open ? pastQueries() : [];
  const onKeyDown = (event: KeyboardEvent): void => {
    const items = [...(root.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    if (event.key === 'Escape') {
      setOpen(false);
      root.current?.querySelector<HTMLElement>('button')?.focus();
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      items[Math.min(Math.max(at + (event.key === 'ArrowDown' ? 1 : -1), 0), items.length - 1)]?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="menu-root" ref={root} onKeyDown={onKeyDown}>
      <button
        type="button"
        class="button"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        History
      </button>
      {open && (
        <div class="menu" id={id} role="menu" aria-label="Past queries">
          {past.length === 0 && <p class="menu-empty">No query has been run in this browser.</p>}
          {past.map((expr) => (
            <button
              type="button"
              role="menuitem"
              class="menu-item"
              key={expr}
              onClick={() => {
                setOpen(false);
                onPick(expr);
              }}
            >
              <code>{expr}</code>
            </button>
          ))}
          {past.length > 0 && (
            <button
              type="button"
              role="menuitem"
              class="menu-item quiet"
              onClick={() => {
                forgetQueries();
                setOpen(false);
              }}
            >
              Forget these
            </button>
          )}
        </div>
      )}
    </div>
  );
}
