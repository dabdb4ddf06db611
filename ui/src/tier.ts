// Which tier this node belongs to, and so which pages it has.
import { request } from './api/client';
import type { BuildInfo } from './api/types';
import { readStored, writeStored } from './settings';
import { createStore } from './store';

/** `shard`, `agent`, `global`, or empty while unknown (and on a plain Prometheus). */
export const tier = createStore('');

/** Pages about what an agent doesn't do. */
const NOT_FOR_AGENTS = ['query', 'alerts', 'rules'];

/** Whether nodes of a tier have a page. */
export function hasPage(ownTier: string, path: string): boolean {
  if (path === 'hierarchy') return ownTier === 'global';
  return ownTier !== 'agent' || !NOT_FOR_AGENTS.includes(path);
}

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
