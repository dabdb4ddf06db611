// Keys that work anywhere on the page, as long as nobody is typing.
import { navigate } from './router';
import { createStore } from './store';

/** Whether the list of keys is shown. */
export const helpOpen = createStore(false);

/** Pages by the key that follows `g`. */
export const GOTO: ReadonlyArray<readonly [string, string, string]> = [
  ['q', 'query', 'Query'],
  ['a', 'alerts', 'Alerts'],
  ['t', 'targets', 'Targets'],
  ['r', 'rules', 'Rules'],
  ['h', 'hierarchy', 'Hierarchy'],
  ['s', 'status', 'Status'],
];

/** After `g`, this long for the second key. */
const SEQUENCE_MS = 1500;

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

function focusFirst(selector: string): boolean {
  const element = document.querySelector<HTMLElement>(selector);
  element?.focus();
  return element !== null;
}

const SINGLE: Readonly<Record<string, () => boolean>> = {
  '/': () => focusFirst('[data-slash-focus]') || focusFirst('.cm-content'),
  '?': () => (helpOpen.set(!helpOpen.get()), true),
  r: () => clickAll('[data-refresh]'),
  p: () => clickAll('[data-pause]'),
};

function clickAll(selector: string): boolean {
  const elements = document.querySelectorAll<HTMLElement>(selector);
  elements.forEach((element) => element.click());
  return elements.length > 0;
}

/** Starts listening. `allowed` says which pages exist on this node. */
export function listenForShortcuts(allowed: (path: string) => boolean): void {
  let goUntil = 0;
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    // An open dialog has the keys; `?` closes the one that it opened.
    if (document.querySelector('dialog[open]') && !(helpOpen.get() && event.key === '?')) return;
    const going = Date.now() < goUntil;
    goUntil = 0;
    const page = going ? GOTO.find(([key]) => key === event.key)?.[1] : undefined;
    if (page !== undefined && allowed(page)) navigate(page);
    else if (!going && event.key === 'g') goUntil = Date.now() + SEQUENCE_MS;
    else if (going || !SINGLE[event.key]?.()) return;
    event.preventDefault();
  });
}
