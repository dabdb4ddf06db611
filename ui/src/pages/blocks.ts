// Arithmetic over the blocks of a bucket.
import type { Block } from '../api/types';

/** The time that the blocks cover together, in milliseconds; null without blocks. */
export function blockSpan(blocks: readonly Block[]): { minTime: number; maxTime: number } | null {
  if (blocks.length === 0) return null;
  let minTime = Infinity;
  let maxTime = -Infinity;
  for (const block of blocks) {
    minTime = Math.min(minTime, block.minTime);
    maxTime = Math.max(maxTime, block.maxTime);
  }
  return { minTime, maxTime };
}

/** Bytes of all blocks. */
export function totalBytes(blocks: readonly Block[]): number {
  return blocks.reduce((sum, block) => sum + block.bytes, 0);
}

/** The blocks by their end, newest first. */
export function newestFirst(blocks: readonly Block[]): Block[] {
  return [...blocks].sort((a, b) => b.maxTime - a.maxTime || (a.ulid < b.ulid ? 1 : -1));
}

/** One strip of the timeline: blocks that don't overlap. */
export interface Lane {
  /** What sets its blocks apart from those of other lanes; empty if nothing does. */
  title: string;
  blocks: Block[];
}

// Labels and resolution as texts; a resolution of zero means raw samples.
function traits(block: Block): string[] {
  const labels = Object.entries(block.labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  return block.resolution > 0 ? [...labels, `resolution=${block.resolution / 60_000}m`] : labels;
}

/** The blocks spread over lanes: one for each set of labels and resolution, more where blocks of one kind overlap. */
export function lanes(blocks: readonly Block[]): Lane[] {
  const all = new Map(blocks.map((block) => [block, traits(block)]));
  const [first = []] = all.values();
  const common = new Set(first.filter((trait) => [...all.values()].every((own) => own.includes(trait))));
  const found: Lane[] = [];
  for (const block of [...blocks].sort((a, b) => a.minTime - b.minTime)) {
    const title = (all.get(block) ?? []).filter((trait) => !common.has(trait)).join(', ');
    const free = found.find(
      (lane) => lane.title === title && (lane.blocks[lane.blocks.length - 1] as Block).maxTime <= block.minTime,
    );
    if (free) free.blocks.push(block);
    else found.push({ title, blocks: [block] });
  }
  return found.sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0));
}
