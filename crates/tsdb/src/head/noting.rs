//! Reading notes, and writing those that belong to no transaction.

use std::io;

use super::state::Head;
use crate::wal::encode_note;

impl Head {
    /// The note of a name.
    pub(crate) fn note(&self, name: &str) -> Option<Vec<u8>> {
        self.notes.get(name)
    }

    /// The notes whose names begin so.
    pub(crate) fn notes_with_prefix(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        self.notes.with_prefix(prefix)
    }

    /// Notes something that belongs to no transaction.
    pub(super) fn set_note_now(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut record = Vec::new();
        encode_note(&mut record, name, content);
        let mut batch = self.wal.batch();
        batch.add(&record)?;
        self.metrics.wal_written_bytes.inc_by(batch.write()? as u64);
        self.notes.set(name, content);
        Ok(())
    }
}
