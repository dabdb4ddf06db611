//! Deleting what is too old or too much: Prometheus's rules.

use std::sync::Arc;

use super::blocks::delete;
use super::maintenance::Maintenance;
use super::state::Db;
use crate::block::Block;
use crate::meta::BlockId;

impl Db {
    /// Deletes the blocks that are beyond a limit. A block that is held, or that is being compacted, stays till the next time.
    ///
    /// As in Prometheus, the data's own time counts, not the clock's: a database that was down for a month keeps what it has.
    pub(super) fn retain(&self, done: &mut Maintenance) {
        let mut newest_first = self.blocks.load().blocks.clone();
        newest_first.sort_by_key(|block| std::cmp::Reverse(block.meta().max_time));
        let too_old = self.beyond_time(&newest_first);
        let too_much = self.beyond_size(&newest_first[..newest_first.len() - too_old.len()]);
        if self.delete_blocks(too_old, "block deleted: beyond the retention time", done) {
            self.metrics.time_retentions.inc();
        }
        if self.delete_blocks(too_much, "block deleted: beyond the retention size", done) {
            self.metrics.size_retentions.inc();
        }
    }

    /// What lies further back from the newest block's end than the retention time.
    fn beyond_time<'a>(&self, newest_first: &'a [Arc<Block>]) -> &'a [Arc<Block>] {
        let retention_ms = self.retention().ms;
        if retention_ms == 0 {
            return &[];
        }
        // A block that was put there with times of the far future must not be what makes all others too old.
        let Some(newest) = self.end_for_retention(newest_first, retention_ms) else { return &[] };
        let oldest_kept = newest.saturating_sub(retention_ms);
        let kept = newest_first.partition_point(|block| block.meta().max_time > oldest_kept);
        &newest_first[kept..]
    }

    /// What doesn't fit under the limit once log, head chunks and all newer blocks are counted.
    fn beyond_size<'a>(&self, newest_first: &'a [Arc<Block>]) -> &'a [Arc<Block>] {
        let bytes_max = self.retention().bytes;
        if bytes_max == 0 || newest_first.is_empty() {
            return &[];
        }
        let mut bytes = self.head_disk_bytes();
        let kept = newest_first.iter().take_while(|block| {
            bytes += block.byte_len();
            bytes <= bytes_max
        });
        &newest_first[kept.count()..]
    }

    /// Deletes blocks, unless something keeps them; tells whether any went.
    fn delete_blocks(&self, blocks: &[Arc<Block>], reason: &'static str, done: &mut Maintenance) -> bool {
        let held = self.held.read();
        let busy = self.busy.lock();
        let stays = |id: BlockId| busy.contains(&id) || held.as_ref().is_some_and(|held| held(id));
        let gone: Vec<&Arc<Block>> = blocks.iter().filter(|block| !stays(block.meta().ulid)).collect();
        let ids: Vec<BlockId> = gone.iter().map(|block| block.meta().ulid).collect();
        if ids.is_empty() {
            return false;
        }
        self.blocks.rcu(|set| Arc::new(set.replaced(&ids, None)));
        for block in gone {
            tracing::info!(block = %block.meta().ulid, reason);
            delete(block);
        }
        done.deleted.extend(ids);
        true
    }
}
