//! The labels of all series as numbers, row after row.

/// So many numbers lie together. Growing costs no copy of what is there, and leaves little room unused.
const CHUNK: usize = 1 << 14;

/// Where a row is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Row {
    start: u32,
    count: u32,
}

impl Row {
    /// How many numbers it has.
    pub(super) fn len(self) -> usize {
        self.count as usize
    }
}

/// Rows of numbers, none in two chunks. What was added stays.
#[derive(Debug, Default)]
pub(super) struct Rows {
    chunks: Vec<Vec<u32>>,
    len: usize,
}

impl Rows {
    /// Adds a row; `None` where 32 bits of places are full.
    pub(super) fn push(&mut self, row: &[u32]) -> Option<Row> {
        if self.chunks.last().is_none_or(|last| last.len() + row.len() > CHUNK) {
            // The first one grows as it is needed: most heads of tests and tools stay small.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK.max(row.len()) };
            self.chunks.push(Vec::with_capacity(room));
        }
        let chunk = self.chunks.len() - 1;
        let last = &mut self.chunks[chunk];
        let start = u32::try_from(chunk * CHUNK + last.len()).ok()?;
        last.extend_from_slice(row);
        self.len += row.len();
        Some(Row { start, count: row.len() as u32 })
    }

    /// A row that was added; the default one is empty.
    pub(super) fn get(&self, row: Row) -> &[u32] {
        let (chunk, at) = (row.start as usize / CHUNK, row.start as usize % CHUNK);
        self.chunks.get(chunk).map_or(&[], |chunk| &chunk[at..][..row.len()])
    }

    /// How many numbers there are in all rows.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_whole() {
        let mut rows = Rows::default();
        let lengths = [3, 0, CHUNK - 4, 1, 1, CHUNK + 7, 12, CHUNK, 5];
        let want: Vec<Vec<u32>> =
            lengths.iter().map(|len| (0..*len as u32).map(|i| i * 7 + *len as u32).collect()).collect();
        let places: Vec<Row> = want.iter().map(|row| rows.push(row).expect("room")).collect();
        places.iter().zip(&want).for_each(|(place, row)| assert_eq!(rows.get(*place), row));
        assert_eq!((rows.len(), rows.get(Row::default())), (lengths.iter().sum(), &[][..]));
    }
}
