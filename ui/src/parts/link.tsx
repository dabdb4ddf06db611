// Links to addresses that come from configurations, discovery and annotations.
import { isWebAddress } from '../format/links';

/** A link in a tab of its own; plain text where the address is not one that a browser may safely open. */
export function ExternalLink({ address, text = address }: { address: string; text?: string }) {
  if (!isWebAddress(address)) return <span class="endpoint">{text}</span>;
  return (
    <a href={address} target="_blank" rel="noreferrer" class="endpoint">
      {text}
    </a>
  );
}
