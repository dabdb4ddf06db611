//! The records that a log is made of.

use model::Timestamp;

use crate::binary::{Corrupt, Cursor, put_str, put_uvarint, put_varint};

/// What a record holds, told by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RecordKind {
    Series,
    Samples,
    /// Written when Prometheus maps a chunk of a head series to a file; of no use without that file.
    MmapMarker,
    /// Known by name, not read by this version: tombstones, exemplars, metadata, histograms.
    Unread(&'static str),
    Unknown(u8),
}

impl RecordKind {
    pub(crate) fn of(record: &[u8]) -> Self {
        match record.first() {
            Some(1) => RecordKind::Series,
            Some(2) => RecordKind::Samples,
            Some(3) => RecordKind::Unread("tombstones"),
            Some(4) => RecordKind::Unread("exemplars"),
            Some(5) => RecordKind::MmapMarker,
            Some(6) => RecordKind::Unread("metadata"),
            Some(7) => RecordKind::Unread("histograms"),
            Some(8) => RecordKind::Unread("float_histograms"),
            Some(9) => RecordKind::Unread("custom_bucket_histograms"),
            Some(10) => RecordKind::Unread("custom_bucket_float_histograms"),
            Some(other) => RecordKind::Unknown(*other),
            None => RecordKind::Unknown(0),
        }
    }

    /// A word for logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RecordKind::Series => "series",
            RecordKind::Samples => "samples",
            RecordKind::MmapMarker => "mmap_markers",
            RecordKind::Unread(name) => name,
            RecordKind::Unknown(_) => "unknown",
        }
    }
}

/// One float sample of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LoggedSample {
    /// The series' number in the log.
    pub(crate) series: u64,
    pub(crate) time: Timestamp,
    pub(crate) value: f64,
}

const STRUCTURE: &str = "write-ahead log record";

/// Appends one series to a record of series, and the record's first byte if it is empty.
pub(crate) fn encode_series<'a>(
    out: &mut Vec<u8>,
    series: u64,
    labels: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
) {
    if out.is_empty() {
        out.push(1);
    }
    out.extend_from_slice(&series.to_be_bytes());
    put_uvarint(out, labels.len() as u64);
    for (name, value) in labels {
        put_str(out, name);
        put_str(out, value);
    }
}

/// Hands each series of a record to `visit`.
pub(crate) fn decode_series<'a>(
    record: &'a [u8],
    mut visit: impl FnMut(u64, &[(&'a str, &'a str)]),
) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(record);
    cursor.u8();
    let mut labels = Vec::new();
    while !cursor.is_empty() {
        let at = cursor.position();
        let series = read_series(&mut cursor, &mut labels).ok_or_else(|| broken(at, "broken series"))?;
        visit(series, &labels);
    }
    Ok(())
}

fn broken(at: usize, reason: &str) -> Corrupt {
    Corrupt::new(STRUCTURE, at, reason)
}

fn read_series<'a>(cursor: &mut Cursor<'a>, labels: &mut Vec<(&'a str, &'a str)>) -> Option<u64> {
    labels.clear();
    let series = cursor.be64()?;
    for _ in 0..cursor.uvarint()? {
        let name = std::str::from_utf8(cursor.text()?).ok()?;
        let value = std::str::from_utf8(cursor.text()?).ok()?;
        labels.push((name, value));
    }
    Some(series)
}

/// Appends a whole record of samples to `out`.
pub(crate) fn encode_samples(out: &mut Vec<u8>, samples: &[LoggedSample]) {
    let Some(first) = samples.first() else { return };
    out.push(2);
    out.extend_from_slice(&first.series.to_be_bytes());
    out.extend_from_slice(&first.time.as_ms().to_be_bytes());
    for sample in samples {
        put_varint(out, sample.series.wrapping_sub(first.series) as i64);
        put_varint(out, sample.time.as_ms().wrapping_sub(first.time.as_ms()));
        out.extend_from_slice(&sample.value.to_bits().to_be_bytes());
    }
}

/// Appends the samples of a record to `out`.
pub(crate) fn decode_samples(record: &[u8], out: &mut Vec<LoggedSample>) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(record);
    cursor.u8();
    if cursor.is_empty() {
        return Ok(());
    }
    let (Some(first_series), Some(first_time)) = (cursor.be64(), cursor.be64()) else {
        return Err(broken(1, "broken header of samples"));
    };
    while !cursor.is_empty() {
        let at = cursor.position();
        let (Some(series), Some(time), Some(bits)) = (cursor.varint(), cursor.varint(), cursor.be64()) else {
            return Err(broken(at, "broken sample"));
        };
        out.push(LoggedSample {
            series: first_series.wrapping_add(series as u64),
            time: Timestamp::from_ms((first_time as i64).wrapping_add(time)),
            value: f64::from_bits(bits),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn samples_come_back(samples in proptest::collection::vec((any::<u32>(), any::<i64>(), any::<u64>()), 0..50)) {
            let samples: Vec<_> = samples.into_iter().map(|(series, time, bits)| LoggedSample {
                series: u64::from(series), time: Timestamp::from_ms(time), value: f64::from_bits(bits),
            }).collect();
            let (mut record, mut back) = (Vec::new(), Vec::new());
            encode_samples(&mut record, &samples);
            decode_samples(&record, &mut back).expect("valid");
            let key = |s: &LoggedSample| (s.series, s.time, s.value.to_bits());
            prop_assert_eq!(back.iter().map(key).collect::<Vec<_>>(), samples.iter().map(key).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_or_refused(record in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut out = Vec::new();
            let _ = decode_samples(&record, &mut out);
            prop_assert!(out.len() <= record.len());
            let _ = decode_series(&record, |_, _| {});
        }
    }

    #[test]
    fn series_come_back() {
        let mut record = Vec::new();
        encode_series(&mut record, 7, [("__name__", "up"), ("job", "a")].into_iter());
        encode_series(&mut record, 8, [("__name__", "down")].into_iter());
        let mut seen = Vec::new();
        decode_series(&record, |series, labels| seen.push((series, labels.len(), labels[0].1))).expect("valid");
        assert_eq!(seen, [(7, 2, "up"), (8, 1, "down")]);
        assert!(decode_series(&record[..record.len() - 1], |_, _| {}).is_err());
    }
}
