// Paths under the page's base (`<base href>`, the external URL's prefix) and the history API.
import { createStore } from './store';

/** Where the page stands: a path without the base and without slashes at its ends, and the query string with its `?`. */
export interface Location {
  path: string;
  search: string;
}

/** The base path, with a slash at its end. */
export function basePath(): string {
  return new URL(document.baseURI).pathname.replace(/[^/]*$/, '');
}

function current(): Location {
  const base = basePath();
  const path = window.location.pathname;
  const inside = path.startsWith(base) ? path.slice(base.length) : path;
  return { path: inside.replace(/^\/+|\/+$/g, ''), search: window.location.search };
}

export const location = createStore<Location>({ path: '', search: '' });

let moved = false;

/** Whether the page shown is still the one that the browser opened. */
export function firstPage(): boolean {
  return !moved;
}

/** Starts following the browser's back and forward buttons. */
export function startRouter(): void {
  location.set(current());
  window.addEventListener('popstate', () => location.set(current()));
}

/** The address of a page as an `href`. */
export function href(path: string, search = ''): string {
  return basePath() + path + search;
}

/** Goes to a page; a new entry in the browser's history unless `replace`. */
export function navigate(path: string, search = '', replace = false): void {
  const target = href(path, search);
  if (target === window.location.pathname + window.location.search) return;
  moved = true;
  if (replace) history.replaceState(null, '', target);
  else history.pushState(null, '', target);
  location.set(current());
}

/** Changes the parameters of the current page's address without a new history entry; empty values are removed. */
export function replaceParams(changes: Readonly<Record<string, string>>): void {
  const params = new URLSearchParams(window.location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') params.delete(name);
    else params.set(name, value);
  }
  const text = params.toString();
  navigate(location.get().path, text === '' ? '' : `?${text}`, true);
}

/** The address that opens an expression on the query page. */
export function queryHref(expr: string, graph = false): string {
  const params = new URLSearchParams({ 'g0.expr': expr, 'g0.tab': graph ? '0' : '1' });
  return href('query', `?${params}`);
}

/** Follows a plain left click on a link of ours inside the page; any other click is the browser's. */
export function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = (event.target as Element | null)?.closest?.('a');
  if (!link || link.target || link.origin !== window.location.origin || link.hasAttribute('download')) return;
  const base = basePath();
  if (!link.pathname.startsWith(base) || !link.dataset['route']) return;
  event.preventDefault();
  navigate(link.pathname.slice(base.length), link.search);
}
