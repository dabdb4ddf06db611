// Which tier this node belongs to; a global has one page more.
import { request } from './api/client';
import type { BuildInfo } from './api/types';
import { readStored, writeStored } from './settings';
import { createStore } from './store';

/** `shard`, `global`, or empty while unknown (and on a plain Prometheus). */
export const tier = createStore('');

const RETRY_MS = 5000;

/** Asks the node until it answers; until then, what it was the last time. */
export async function learnTier(): Promise<void> {
  tier.set(readStored('tier') ?? '');
  try {
    const { data } = await request<BuildInfo>('status/buildinfo');
    tier.set(data.tier ?? '');
    writeStored('tier', data.tier ?? '');
  } catch {
    setTimeout(() => void learnTier(), RETRY_MS);
  }
}
