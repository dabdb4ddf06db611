//! Records of markers: up to here the late samples of a series are in a mapped chunk. They stand in the log of late samples.

use super::broken::broken;
use super::kind::MMAP_MARKERS;
use crate::binary::{Corrupt, Cursor};

/// Everything that the log holds of the series before this record lies in mapped chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoggedMarker {
    /// The series' number in the log.
    pub(crate) series: u64,
    /// Where the newest of these chunks lies, see `docs/format/head-chunks.md`.
    pub(crate) chunk: u64,
}

/// Appends a whole record of markers to `out`; nothing where there are none.
pub(crate) fn encode_markers(out: &mut Vec<u8>, markers: &[LoggedMarker]) {
    if !markers.is_empty() {
        out.push(MMAP_MARKERS);
    }
    for marker in markers {
        out.extend_from_slice(&marker.series.to_be_bytes());
        out.extend_from_slice(&marker.chunk.to_be_bytes());
    }
}

/// Appends the markers of a record to `out`.
pub(crate) fn decode_markers(record: &[u8], out: &mut Vec<LoggedMarker>) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(record);
    cursor.u8();
    while !cursor.is_empty() {
        let at = cursor.position();
        let (Some(series), Some(chunk)) = (cursor.be64(), cursor.be64()) else {
            return Err(broken(at, "broken marker of a mapped chunk"));
        };
        out.push(LoggedMarker { series, chunk });
    }
    Ok(())
}
