//! Records of exemplars.

use model::{Exemplar, Labels};

use super::broken::broken;
use super::kind::EXEMPLARS;
use super::samples::Base;
use super::series::{put_labels, read_labels};
use crate::binary::{Corrupt, Cursor};

/// An exemplar of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoggedExemplar {
    /// The series' number in the log.
    pub(crate) series: u64,
    pub(crate) exemplar: Exemplar,
}

/// Appends a whole record of exemplars to `out`; nothing where there are none.
pub(crate) fn encode_exemplars(out: &mut Vec<u8>, exemplars: &[LoggedExemplar]) {
    let Some(first) = exemplars.first() else { return };
    let base = Base::put(out, EXEMPLARS, first.series, first.exemplar.time);
    for LoggedExemplar { series, exemplar } in exemplars {
        base.put_place(out, *series, exemplar.time);
        out.extend_from_slice(&exemplar.value.to_bits().to_be_bytes());
        let pairs: Vec<(&str, &str)> = exemplar.labels.iter().collect();
        put_labels(out, pairs.into_iter());
    }
}

/// Hands each exemplar of a record to `visit`.
pub(crate) fn decode_exemplars(record: &[u8], mut visit: impl FnMut(LoggedExemplar)) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(record);
    let Some(base) = Base::read(&mut cursor)? else { return Ok(()) };
    let mut pairs = Vec::new();
    while !cursor.is_empty() {
        let at = cursor.position();
        let (Some((series, time)), Some(bits)) = (base.read_place(&mut cursor), cursor.be64()) else {
            return Err(broken(at, "broken exemplar"));
        };
        read_labels(&mut cursor, &mut pairs).ok_or_else(|| broken(at, "broken labels of an exemplar"))?;
        let labels = Labels::from_pairs(pairs.iter().copied());
        visit(LoggedExemplar { series, exemplar: Exemplar { labels, value: f64::from_bits(bits), time } });
    }
    Ok(())
}
