// The list of keys.
import { useEffect, useRef } from 'preact/hooks';
import { Key } from './parts/controls';
import { GOTO, helpOpen } from './shortcuts';
import { useStore } from './store';
import { hasPage } from './tier';

const ANYWHERE: ReadonlyArray<readonly [string[], string]> = [
  [['/'], 'Go to the filter or the editor'],
  [['r'], 'Refresh, or run again'],
  [['p'], 'Pause or resume refreshing'],
  [['?'], 'These keys'],
];
const EDITOR: ReadonlyArray<readonly [string[], string]> = [
  [['Enter'], 'Run the query'],
  [['Shift', 'Enter'], 'New line'],
  [['Ctrl', 'Space'], 'Complete'],
  [['Alt', '↑'], 'Older query'],
  [['Alt', '↓'], 'Newer query'],
  [['Esc'], 'Leave the editor'],
];

export function Help({ tier }: { tier: string }) {
  const open = useStore(helpOpen);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const pages = GOTO.filter(([, path]) => hasPage(tier, path));
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-label="Keyboard shortcuts"
      onClose={() => helpOpen.set(false)}
      onClick={(event) => event.target === dialog.current && helpOpen.set(false)}
    >
      <div class="help-body">
        <h2>Keys</h2>
        <div class="columns">
          <KeyList title="Pages" keys={pages.map(([key, , label]) => [['g', key], label])} />
          <KeyList title="Anywhere" keys={ANYWHERE} />
          <KeyList title="Editor" keys={EDITOR} />
        </div>
        <form method="dialog">
          <button class="button">Close</button>
        </form>
      </div>
    </dialog>
  );
}

function KeyList({ title, keys }: { title: string; keys: ReadonlyArray<readonly [readonly string[], string]> }) {
  return (
    <section>
      <h3>{title}</h3>
      <dl class="keys">
        {keys.map(([names, meaning]) => (
          <div key={meaning}>
            <dt>
              {names.map((name, i) => (
                <Key key={i}>{name}</Key>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
