//! Records of notes: a few bytes under a name, which whoever appends may store with its samples. Prometheus has no such records and
//! passes over them.

use super::broken::broken;
use super::kind::NOTES;
use crate::binary::{Corrupt, Cursor, put_str, put_uvarint};

/// Appends a note to a record, and the record's first byte if it is empty.
pub(crate) fn encode_note(out: &mut Vec<u8>, name: &str, content: &[u8]) {
    if out.is_empty() {
        out.push(NOTES);
    }
    put_str(out, name);
    put_uvarint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// A record without notes: it takes a place in the log and says nothing.
pub(crate) fn encode_nothing(out: &mut Vec<u8>) {
    out.push(NOTES);
}

/// Hands name and content of each note of a record to `visit`.
pub(crate) fn decode_notes(record: &[u8], mut visit: impl FnMut(&str, &[u8])) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(record);
    cursor.u8();
    while !cursor.is_empty() {
        let at = cursor.position();
        let (Some(name), Some(content)) = (cursor.text(), cursor.text()) else {
            return Err(broken(at, "broken note"));
        };
        let name = str::from_utf8(name).map_err(|_| broken(at, "the name of a note is not UTF-8"))?;
        visit(name, content);
    }
    Ok(())
}
