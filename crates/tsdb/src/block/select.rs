//! Selecting over an index: the part that local blocks and blocks in a bucket share.

use std::vec::IntoIter;

use model::{Matcher, TimeRange};

use crate::binary::Corrupt;
use crate::index::{Index, IndexedSeries};
use crate::matching::matching_series;

/// The series of an index that match, in order of their labels, each with its number and the chunks that touch the range.
/// Series without such chunks are left out.
pub struct IndexSelection {
    index: Index,
    numbers: IntoIter<u32>,
    range: TimeRange,
}

/// Finds the series that match; each is decoded when it is asked for.
pub fn select_index(index: &Index, matchers: &[Matcher], range: TimeRange) -> Result<IndexSelection, Corrupt> {
    let numbers = matching_series(index, matchers)?.into_iter();
    Ok(IndexSelection { index: index.clone(), numbers, range })
}

impl Iterator for IndexSelection {
    type Item = Result<(u32, IndexedSeries), Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let number = self.numbers.next()?;
            match self.index.series(number) {
                Ok(mut series) => {
                    series.chunks.retain(|chunk| chunk.overlaps(self.range));
                    if !series.chunks.is_empty() {
                        return Some(Ok((number, series)));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
