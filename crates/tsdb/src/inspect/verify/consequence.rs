//! What a kind of damage means to a person, and what to do about it.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nothing is lost.
    Note,
    /// Something is broken.
    Damage,
}

/// What follows from a finding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Consequence {
    pub(super) severity: Severity,
    pub(super) meaning: &'static str,
    pub(super) advice: &'static str,
}

const fn damage(meaning: &'static str, advice: &'static str) -> Consequence {
    Consequence { severity: Severity::Damage, meaning, advice }
}

const fn note(meaning: &'static str, advice: &'static str) -> Consequence {
    Consequence { severity: Severity::Note, meaning, advice }
}

const RESTORE: &str = "restore the block from its replica, the bucket or a backup; without one, move its folder out of the data directory";

pub(super) const UNREADABLE_FILE: Consequence = damage(
    "the file can't be read: nothing in it was checked",
    "look at the system's log for errors of the disk, and at the file's owner and permissions",
);
pub(super) const BLOCK_UNUSABLE: Consequence =
    damage("the block can't be opened: its time range is missing from every answer", RESTORE);
pub(super) const SERIES_UNREADABLE: Consequence = damage("queries that touch this series fail", RESTORE);
pub(super) const SERIES_ORDER: Consequence =
    damage("series are merged by their order: queries may give a series twice or leave samples out", RESTORE);
pub(super) const POSTINGS_WRONG: Consequence =
    damage("selecting by this label gives wrong series, too few, or an error", RESTORE);
pub(super) const LABEL_TABLE: Consequence =
    note("no reader since index version 2 looks at this table", "nothing: the next compaction writes it anew");
pub(super) const CHUNK_UNREADABLE: Consequence =
    damage("queries that need this chunk fail, and compaction can't take the block", RESTORE);
pub(super) const CHUNK_TIMES: Consequence =
    damage("readers pick chunks by these times: queries leave samples out or give them out of order", RESTORE);
pub(super) const CHUNK_UNREFERENCED: Consequence =
    note("no series has this chunk: its samples are in no answer", "nothing: the next compaction leaves it out");
pub(super) const ENCODING_UNKNOWN: Consequence = note(
    "the checksum is right, but this version doesn't read the encoding: samples were not checked, queries of them fail by name",
    "use a newer version, or the program that wrote the block",
);
pub(super) const STATS_WRONG: Consequence = damage(
    "only the figures are wrong: the data was counted here and can be read",
    "nothing urgent: the next compaction writes them anew",
);
pub(super) const META_DIFFERS: Consequence = damage(
    "tools and buckets know the block by another name or time than its folder",
    "find out who renamed the folder or edited meta.json, and undo it",
);
pub(super) const TOMBSTONES: Consequence =
    damage("the block can't be opened, because deleted samples would come back", RESTORE);
pub(super) const TOMBSTONE_OF_NOBODY: Consequence =
    note("the deletion hits no series of this block", "nothing: clean_tombstones or the next compaction drops it");
pub(super) const OVERLAP: Consequence = note(
    "both blocks are merged whenever they are read, which is correct and costs time",
    "nothing: compaction makes one of them",
);
pub(super) const UNFINISHED: Consequence =
    note("a crash left it half made or half deleted; no reader looks at it", "nothing: the next start deletes it");
pub(super) const LOG_DAMAGED: Consequence = damage(
    "the samples of the damaged records are lost; Watershed keeps the whole records before and after, Prometheus those before",
    "copy the folder, then start the shard: it cuts the damage out and goes on",
);
pub(super) const LOG_TORN: Consequence = note(
    "the writer was killed in the middle of a record, or is writing it now: it was never acknowledged",
    "nothing: the next start cuts it off",
);
pub(super) const LOG_GAP: Consequence = damage(
    "what these segments held is lost, unless blocks have it",
    "restore the segments; else start the shard, which goes on with the rest",
);
pub(super) const LOG_UNKNOWN_SERIES: Consequence = note(
    "samples of series that were deleted, or whose record was in a damaged place, are passed over",
    "nothing, if the log is undamaged",
);
pub(super) const LOG_UNREAD: Consequence = note(
    "records of a kind that this version doesn't read stay in the log and are not shown",
    "use a newer version to read them",
);
pub(super) const HEAD_CHUNKS_DAMAGED: Consequence = damage(
    "the next start drops mapped chunks from here on and takes their samples from the log, which takes longer",
    "nothing, if wal/ and wbl/ are sound; else copy them before the start",
);
