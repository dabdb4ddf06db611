//! Records of metadata: what a target says of the metric of a series.

use model::{Metadata, MetricType};

use super::broken::broken;
use super::kind::METADATA;
use crate::binary::{Corrupt, Cursor, put_str, put_uvarint};

const UNIT: &str = "UNIT";
const HELP: &str = "HELP";

/// The kinds of metrics by their numbers in the log; 0 is a kind that nobody told.
const KINDS: [(u8, MetricType); 7] = [
    (1, MetricType::Counter),
    (2, MetricType::Gauge),
    (3, MetricType::Histogram),
    (4, MetricType::GaugeHistogram),
    (5, MetricType::Summary),
    (6, MetricType::Info),
    (7, MetricType::StateSet),
];

/// The metadata of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoggedMetadata {
    /// The series' number in the log.
    pub(crate) series: u64,
    pub(crate) metadata: Metadata,
}

/// Appends the metadata of one series to a record, and the record's first byte if it is empty.
pub(crate) fn encode_metadata(out: &mut Vec<u8>, series: u64, metadata: &Metadata) {
    if out.is_empty() {
        out.push(METADATA);
    }
    put_uvarint(out, series);
    let code = KINDS.iter().find(|(_, kind)| *kind == metadata.kind).map_or(0, |(code, _)| *code);
    out.push(code);
    put_uvarint(out, 2); // fields
    put_str(out, UNIT);
    put_str(out, &metadata.unit);
    put_str(out, HELP);
    put_str(out, &metadata.help);
}

/// Hands the metadata of each series of a record to `visit`. Fields of other names are left out.
pub(crate) fn decode_metadata(record: &[u8], mut visit: impl FnMut(LoggedMetadata)) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(record);
    cursor.u8();
    while !cursor.is_empty() {
        let at = cursor.position();
        visit(read(&mut cursor).ok_or_else(|| broken(at, "broken metadata"))?);
    }
    Ok(())
}

fn read(cursor: &mut Cursor<'_>) -> Option<LoggedMetadata> {
    let series = cursor.uvarint()?;
    let code = cursor.u8()?;
    let kind = KINDS.iter().find(|(known, _)| *known == code).map_or(MetricType::Unknown, |(_, kind)| *kind);
    let mut metadata = Metadata { kind, ..Metadata::default() };
    for _ in 0..cursor.uvarint()? {
        let (name, value) = (cursor.text()?, cursor.text()?);
        if name == UNIT.as_bytes() {
            metadata.unit = String::from_utf8_lossy(value).into_owned();
        } else if name == HELP.as_bytes() {
            metadata.help = String::from_utf8_lossy(value).into_owned();
        }
    }
    Some(LoggedMetadata { series, metadata })
}
