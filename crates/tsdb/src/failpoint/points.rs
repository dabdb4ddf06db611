//! The list of all places.

/// Writes. Each is three points: `.before` it, `.in` it when half of the bytes are written, `.after` it.
pub const WRITES: &[&str] = &["head_chunks.write", "wal.write"];

/// Steps that write no bytes themselves, or not in one call.
pub const STEPS: &[&str] = &[
    "block.delete.before",
    "block.delete.renamed",
    "block.rename.after",
    "block.rename.before",
    "block.write",
    "checkpoint.begin",
    "checkpoint.delete.after",
    "checkpoint.delete.before",
    "checkpoint.delete.between",
    "checkpoint.rename.after",
    "checkpoint.rename.before",
    "cut.truncate.after",
    "cut.truncate.before",
    "file.replace.after",
    "file.replace.before",
    "file.replace.written",
    "head_chunks.delete.after",
    "head_chunks.delete.before",
    "head_chunks.file.before",
    "late.cut",
    "late.seal",
    "late.shorten",
    "repair.cut.before",
    "replay.segment",
    "snapshot.begin",
    "snapshot.forget",
    "snapshot.rename.after",
    "snapshot.rename.before",
    "snapshot.write",
    "wal.segment.after",
    "wal.segment.before",
];

/// The names of all points.
pub fn points() -> Vec<String> {
    let writes = WRITES.iter().flat_map(|write| ["before", "in", "after"].map(|part| format!("{write}.{part}")));
    writes.chain(STEPS.iter().map(|step| (*step).to_owned())).collect()
}
