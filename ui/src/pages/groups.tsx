// What the pages that list rule groups share.
import { formatCount } from '../format/number';

/** Groups rendered before a person asks for the rest. */
export const GROUPS_SHOWN = 30;

/** How many groups are left out, and a way to see them. */
export function MoreGroups({ rest, onAll }: { rest: number; onAll(): void }) {
  if (rest === 0) return null;
  return (
    <p class="more">
      {formatCount(rest)} more groups.{' '}
      <button type="button" class="button" onClick={onAll}>
        Show all
      </button>
    </p>
  );
}
