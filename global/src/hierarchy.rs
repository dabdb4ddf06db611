//! What a global tells of its shards and its bucket.

use std::sync::Arc;

use api::hierarchy::{Block, Bucket, Hierarchy, Replica, Shard, Snapshot};
use bucket::{BucketBlock, BucketView, Location, Uploader};
use federation::{Puller, ReplicaStatus, ShardStatus};
use model::{Clock, Timestamp};

/// Puts the page's data together from the puller and the bucket.
pub(crate) struct HierarchyView {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) puller: Arc<Puller>,
    pub(crate) bucket: Option<(Location, Arc<Uploader>, Arc<BucketView>)>,
}

impl Hierarchy for HierarchyView {
    fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        Snapshot {
            shards: self.puller.status().into_iter().map(|shard| shard_json(shard, now)).collect(),
            bucket: self.bucket.as_ref().map(|(location, uploader, view)| bucket_json(location, uploader, view)),
        }
    }
}

fn shard_json(shard: ShardStatus, now: Timestamp) -> Shard {
    Shard { name: shard.name, replicas: shard.replicas.into_iter().map(|replica| replica_json(replica, now)).collect() }
}

fn replica_json(replica: ReplicaStatus, now: Timestamp) -> Replica {
    Replica {
        url: replica.url,
        replica: replica.replica,
        state: replica.state.as_str(),
        protocol: replica.protocol.as_str(),
        last_pull: rfc3339(replica.last_pull),
        last_pull_duration_seconds: replica.last_pull_duration.as_secs_f64(),
        last_pull_samples: replica.last_pull_samples,
        newest_sample: rfc3339(replica.newest_sample),
        freshness_seconds: replica.newest_sample.map(|newest| (now - newest) as f64 / 1000.0),
        clock_ahead_seconds: replica.clock_ahead_ms.map(|ms| ms as f64 / 1000.0),
        gap_from: rfc3339(replica.gap.map(|(from, _)| from)),
        gap_until: rfc3339(replica.gap.map(|(_, until)| until)),
        last_error: replica.last_error.unwrap_or_default(),
    }
}

fn bucket_json(location: &Location, uploader: &Uploader, view: &BucketView) -> Bucket {
    let status = uploader.status();
    Bucket {
        url: location.to_string(),
        blocks: view.blocks().iter().map(|block| block_json(block)).collect(),
        last_upload: rfc3339(status.last_upload),
        last_error: status.last_error.or_else(|| view.last_error()).unwrap_or_default(),
    }
}

fn block_json(block: &BucketBlock) -> Block {
    let meta = block.meta();
    let thanos = meta.thanos.as_ref();
    let labels = thanos.and_then(|thanos| serde_json::from_value(thanos["labels"].clone()).ok());
    Block {
        ulid: meta.ulid.to_string(),
        min_time: meta.min_time.as_ms(),
        max_time: meta.max_time.as_ms(),
        series: meta.stats.num_series,
        samples: meta.stats.num_samples,
        bytes: block.byte_len(),
        resolution: thanos.and_then(|thanos| thanos["downsample"]["resolution"].as_i64()).unwrap_or(0),
        labels: labels.unwrap_or_default(),
    }
}

fn rfc3339(time: Option<Timestamp>) -> String {
    time.map(Timestamp::to_rfc3339).unwrap_or_default()
}
