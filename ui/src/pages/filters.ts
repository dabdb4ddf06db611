// The filters of a page, kept in its address so that a link shows the same.
import { location, replaceParams } from '../router';
import { useStore } from '../store';

/** The text filter and the chosen states, from the address. */
export interface Filters {
  text: string;
  states: ReadonlySet<string>;
  setText(text: string): void;
  setStates(states: ReadonlySet<string>): void;
}

export function useFilters(): Filters {
  const params = new URLSearchParams(useStore(location).search);
  return {
    text: params.get('search') ?? '',
    states: new Set((params.get('state') ?? '').split(',').filter(Boolean)),
    setText: (search) => replaceParams({ search }),
    setStates: (states) => replaceParams({ state: [...states].sort().join(',') }),
  };
}

/** Whether a state is shown: all are when none is chosen. */
export function stateShown(states: ReadonlySet<string>, state: string): boolean {
  return states.size === 0 || states.has(state);
}
