//! Records of float samples.

use model::Timestamp;

use super::broken::broken;
use super::kind::SAMPLES;
use crate::binary::{Corrupt, Cursor, put_varint};

/// One float sample of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LoggedSample {
    /// The series' number in the log.
    pub(crate) series: u64,
    pub(crate) time: Timestamp,
    pub(crate) value: f64,
}

/// Appends a whole record of samples to `out`; nothing where there are none.
pub(crate) fn encode_samples(out: &mut Vec<u8>, samples: &[LoggedSample]) {
    let Some(first) = samples.first() else { return };
    let base = Base::put(out, SAMPLES, first.series, first.time);
    for sample in samples {
        base.put_place(out, sample.series, sample.time);
        out.extend_from_slice(&sample.value.to_bits().to_be_bytes());
    }
}

/// Appends the samples of a record to `out`.
pub(crate) fn decode_samples(record: &[u8], out: &mut Vec<LoggedSample>) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(record);
    let Some(base) = Base::read(&mut cursor)? else { return Ok(()) };
    while !cursor.is_empty() {
        let at = cursor.position();
        let (Some((series, time)), Some(bits)) = (base.read_place(&mut cursor), cursor.be64()) else {
            return Err(broken(at, "broken sample"));
        };
        out.push(LoggedSample { series, time, value: f64::from_bits(bits) });
    }
    Ok(())
}

/// Series and time that all others of a record are written as differences from: those of its first sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base {
    series: u64,
    time: Timestamp,
}

impl Base {
    /// Begins a record.
    pub(super) fn put(out: &mut Vec<u8>, kind: u8, series: u64, time: Timestamp) -> Self {
        out.push(kind);
        out.extend_from_slice(&series.to_be_bytes());
        out.extend_from_slice(&time.as_ms().to_be_bytes());
        Base { series, time }
    }

    /// Reads the beginning of a record, its first byte included; `None` for a record that holds nothing.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, Corrupt> {
        cursor.u8();
        if cursor.is_empty() {
            return Ok(None);
        }
        let (Some(series), Some(time)) = (cursor.be64(), cursor.be64()) else {
            return Err(broken(1, "broken header of samples"));
        };
        Ok(Some(Base { series, time: Timestamp::from_ms(time as i64) }))
    }

    pub(super) fn put_place(self, out: &mut Vec<u8>, series: u64, time: Timestamp) {
        put_varint(out, series.wrapping_sub(self.series) as i64);
        put_varint(out, time.as_ms().wrapping_sub(self.time.as_ms()));
    }

    pub(super) fn read_place(self, cursor: &mut Cursor<'_>) -> Option<(u64, Timestamp)> {
        let series = self.series.wrapping_add(cursor.varint()? as u64);
        Some((series, Timestamp::from_ms(self.time.as_ms().wrapping_add(cursor.varint()?))))
    }
}
