//! `meta.json`: what a block says of itself.

use std::fmt;
use std::str::FromStr;

use model::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use xxhash_rust::xxh3::Xxh3;

/// The only version of `meta.json` there is.
const VERSION: u32 = 1;

/// The name of a block: a ULID, whose first part tells a time, so that names sort by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(Ulid);

impl BlockId {
    /// A name from the end of the block's time range and a hash of its content: whoever writes the same block gives it the
    /// same name.
    pub fn from_content(max_time: Timestamp, content_hash: u128) -> Self {
        let ms = u64::try_from(max_time.as_ms()).unwrap_or(0);
        BlockId(Ulid::from_parts(ms, content_hash))
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BlockId {
    type Err = ulid::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ulid::from_string(text).map(BlockId)
    }
}

impl Serialize for BlockId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlockId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A block's description, as it stands in `meta.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockMeta {
    /// The block's name, which is also that of its folder.
    pub ulid: BlockId,
    /// The time of the first sample, or before it.
    pub min_time: Timestamp,
    /// The first millisecond after the block.
    pub max_time: Timestamp,
    /// What is in it.
    #[serde(default)]
    pub stats: BlockStats,
    /// Where it comes from.
    pub compaction: BlockCompaction,
    /// The version of the format, 1.
    pub version: u32,
    /// Thanos's section, kept as it came: labels, downsampling, source, files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thanos: Option<serde_json::Value>,
}

/// Counts of what a block holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockStats {
    /// Samples.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_samples: u64,
    /// Float samples, where the writer tells them apart.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_float_samples: u64,
    /// Histogram samples, where the writer tells them apart.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_histogram_samples: u64,
    /// Series.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_series: u64,
    /// Chunks.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_chunks: u64,
    /// Deleted intervals.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_tombstones: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A block's ancestry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockCompaction {
    /// 1 for a block cut from the head, more for each time it was compacted.
    pub level: u32,
    /// The blocks of level 1 that it was made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<BlockId>,
    /// Whether it was empty after compaction and may be deleted.
    #[serde(skip_serializing_if = "is_false")]
    pub deletable: bool,
    /// The blocks that it directly replaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<BlockParent>,
    /// Whether a compaction of it has failed before.
    #[serde(skip_serializing_if = "is_false")]
    pub failed: bool,
    /// Remarks of the writer, for example `from-out-of-order`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

impl BlockCompaction {
    /// Of a block that is cut from the head.
    pub(crate) fn cut() -> Self {
        BlockCompaction { level: 1, ..BlockCompaction::default() }
    }

    /// Of a block that says nothing of how far the head is in blocks: one of late samples, or one that was put beside the others.
    pub(crate) fn out_of_order() -> Self {
        BlockCompaction { hints: vec![HINT_OUT_OF_ORDER.to_owned()], ..BlockCompaction::cut() }
    }

    /// Takes its end for nothing that says how far the head is in blocks.
    pub(crate) fn mark_out_of_order(&mut self) {
        if !self.is_out_of_order() {
            self.hints.push(HINT_OUT_OF_ORDER.to_owned());
        }
    }

    /// Whether its end says nothing of how far the head is in blocks.
    pub(crate) fn is_out_of_order(&self) -> bool {
        self.hints.iter().any(|hint| hint == HINT_OUT_OF_ORDER)
    }

    /// Of the block that several are merged into: one level above the highest, with the sources of all.
    pub(crate) fn of_merged(parents: &[&BlockMeta]) -> Self {
        let mut sources: Vec<BlockId> =
            parents.iter().flat_map(|parent| parent.compaction.sources.iter().copied()).collect();
        sources.sort_unstable();
        sources.dedup();
        let level = parents.iter().map(|parent| parent.compaction.level).max().unwrap_or(0) + 1;
        let parents = parents.iter().map(|parent| parent.as_parent()).collect();
        BlockCompaction { level, sources, parents, ..BlockCompaction::default() }
    }

    /// Of a block that is written anew without what was deleted from it. As in Prometheus it begins at level 1 again and
    /// stays marked as made of late samples.
    pub(crate) fn of_cleaned(parent: &BlockMeta) -> Self {
        let hints = parent.compaction.hints.iter().filter(|hint| *hint == HINT_OUT_OF_ORDER).cloned().collect();
        BlockCompaction { level: 1, parents: vec![parent.as_parent()], hints, ..BlockCompaction::default() }
    }

    /// Adds the parents' names to a hash; nothing where there are none.
    pub(crate) fn hash_ancestry(&self, hash: &mut Xxh3) {
        self.parents.iter().for_each(|parent| hash.update(&parent.ulid.0.to_bytes()));
    }
}

/// The remark that Prometheus gives blocks of late samples. Where the log begins to count is told by the end of the others.
const HINT_OUT_OF_ORDER: &str = "from-out-of-order";

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A block that was compacted into this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockParent {
    /// Its name.
    pub ulid: BlockId,
    /// Its range's beginning.
    pub min_time: Timestamp,
    /// The first millisecond after it.
    pub max_time: Timestamp,
}

/// Why a `meta.json` can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// It is no such JSON; the message tells line and column.
    #[error("meta.json: {0}")]
    Json(#[from] serde_json::Error),
    /// A newer format.
    #[error("meta.json: unexpected version {0}, want {VERSION}")]
    Version(u32),
}

impl BlockMeta {
    /// A block that was just written. One that names no sources is its own.
    pub(crate) fn new(
        ulid: BlockId,
        min_time: Timestamp,
        max_time: Timestamp,
        stats: BlockStats,
        mut compaction: BlockCompaction,
    ) -> Self {
        if compaction.sources.is_empty() {
            compaction.sources.push(ulid);
        }
        BlockMeta { ulid, min_time, max_time, stats, compaction, version: VERSION, thanos: None }
    }

    /// Reads a `meta.json`.
    pub fn from_json(text: &[u8]) -> Result<Self, MetaError> {
        let meta: BlockMeta = serde_json::from_slice(text)?;
        if meta.version == VERSION { Ok(meta) } else { Err(MetaError::Version(meta.version)) }
    }

    /// Writes it as Prometheus does, indented by tabs.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
        self.serialize(&mut serializer).expect("plain data has a JSON form and memory takes every write");
        out
    }

    fn as_parent(&self) -> BlockParent {
        BlockParent { ulid: self.ulid, min_time: self.min_time, max_time: self.max_time }
    }

    /// The milliseconds that it may have samples of.
    pub fn range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPACTED: &str = r#"{
	"ulid": "01GRWZEJ5N3Z6TQZ4V2M3CZ1RA",
	"minTime": 1675000000000,
	"maxTime": 1675007200000,
	"stats": {
		"numSamples": 10,
		"numSeries": 2,
		"numChunks": 3
	},
	"compaction": {
		"level": 2,
		"sources": [
			"01GRWZEJ5N3Z6TQZ4V2M3CZ1R0"
		],
		"parents": [
			{
				"ulid": "01GRWZEJ5N3Z6TQZ4V2M3CZ1R0",
				"minTime": 1675000000000,
				"maxTime": 1675007200000
			}
		]
	},
	"version": 1,
	"thanos": {
		"labels": {
			"cluster": "eu-1"
		}
	}
}"#;

    #[test]
    fn writes_what_it_read() {
        let meta = BlockMeta::from_json(COMPACTED.as_bytes()).expect("valid");
        assert_eq!(meta.range().max, Timestamp::from_ms(1_675_007_199_999));
        assert_eq!(String::from_utf8_lossy(&meta.to_json()), COMPACTED);
    }

    #[test]
    fn refuses_other_versions_and_broken_json() {
        let newer = COMPACTED.replace("\"version\": 1", "\"version\": 2");
        assert!(matches!(BlockMeta::from_json(newer.as_bytes()), Err(MetaError::Version(2))));
        let broken = COMPACTED.replace("01GRWZEJ5N3Z6TQZ4V2M3CZ1RA", "up");
        let error = BlockMeta::from_json(broken.as_bytes()).expect_err("no ULID").to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn the_name_depends_on_the_content_alone() {
        let name = |hash| BlockId::from_content(Timestamp::from_ms(1_700_000_000_000), hash);
        assert_eq!(name(7), name(7));
        assert_ne!(name(7), name(8));
        assert_eq!(name(7).to_string().len(), 26);
    }
}
