//! Which label names and values some series have, without making their labels.

use super::format::{SERIES_ALIGN, corrupt};
use super::reader::Index;
use crate::binary::Corrupt;
use crate::matching::skip_below;

/// Looking a value up in the postings costs about as much as reading so many series.
const SERIES_PER_VALUE: usize = 8;

impl Index {
    /// The names of the labels of `series` (ascending numbers), sorted, each once.
    pub(crate) fn label_names_of(&self, series: &[u32]) -> Result<Vec<String>, Corrupt> {
        let (mut seen, mut last) = (Vec::new(), Vec::new());
        let mut names = Vec::new();
        for number in series {
            self.symbol_pairs(*number, |name, _| names.push(name))?;
            // Neighbours mostly have the same names.
            if names != last {
                seen.extend_from_slice(&names);
                std::mem::swap(&mut last, &mut names);
            }
            names.clear();
        }
        self.texts(seen)
    }

    /// The values that a label has in `series` (ascending numbers), sorted, each once. Reads these series, or, where they are
    /// many and the values few, looks for each value whether one of them has it.
    pub(crate) fn label_values_of(&self, name: &str, series: &[u32]) -> Result<Vec<String>, Corrupt> {
        if self.value_count(name).saturating_mul(SERIES_PER_VALUE) < series.len() {
            return self.values_in_postings(name, series);
        }
        let Some(wanted) = self.find_symbol(name)? else { return Ok(Vec::new()) };
        let mut values = Vec::new();
        for number in series {
            self.symbol_pairs(*number, |name, value| {
                if name == wanted {
                    values.push(value);
                }
            })?;
        }
        self.texts(values)
    }

    fn values_in_postings(&self, name: &str, series: &[u32]) -> Result<Vec<String>, Corrupt> {
        let mut out = Vec::new();
        self.walk_postings(name, &mut |value, list| {
            let mut rest = series;
            for number in list {
                rest = skip_below(rest, number);
                match rest.first() {
                    None => break,
                    Some(first) if *first == number => {
                        out.push(value.to_owned());
                        break;
                    }
                    Some(_) => {}
                }
            }
        })?;
        Ok(out)
    }

    /// Calls `visit` with each label of a series, as numbers of strings.
    fn symbol_pairs(&self, number: u32, mut visit: impl FnMut(u64, u64)) -> Result<(), Corrupt> {
        let broken = || corrupt(number as usize * SERIES_ALIGN, "broken series");
        let mut cursor = self.series_content(number)?;
        for _ in 0..cursor.uvarint().ok_or_else(broken)? {
            let (Some(name), Some(value)) = (cursor.uvarint(), cursor.uvarint()) else { return Err(broken()) };
            visit(name, value);
        }
        Ok(())
    }

    /// The number of a string, which are sorted.
    fn find_symbol(&self, text: &str) -> Result<Option<u64>, Corrupt> {
        let (mut low, mut high) = (0, self.symbol_count() as u64);
        while low < high {
            let middle = (low + high) / 2;
            match self.symbol(middle)?.cmp(text) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(Some(middle)),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// The strings of some numbers, sorted, each once.
    fn texts(&self, mut numbers: Vec<u64>) -> Result<Vec<String>, Corrupt> {
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().map(|number| Ok(self.symbol(number)?.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::index::{IndexWriter, IndexedChunk};
    use crate::matching::Postings;

    proptest! {
        #[test]
        fn lists_what_the_labels_say(
            series in proptest::collection::btree_set(proptest::collection::btree_map("[abc]", "[x-z]{1,2}", 1..4), 1..60),
            every in 1..4_usize,
        ) {
            let symbols: BTreeSet<&str> = series.iter().flatten().flat_map(|(n, v)| [n.as_str(), v.as_str()]).collect();
            let number = |text: &String| symbols.iter().position(|symbol| *symbol == text).expect("there") as u32;
            let mut writer = IndexWriter::new(Vec::new(), symbols.iter().copied()).expect("begun");
            let (min_time, max_time) = (Timestamp::from_ms(0), Timestamp::from_ms(1));
            // As sets of pairs they are sorted as labels are.
            let mut all: Vec<_> = series.iter().map(|one| one.iter().collect::<Vec<_>>()).collect();
            all.sort();
            for one in &all {
                let labels: Vec<(u32, u32)> = one.iter().map(|(name, value)| (number(name), number(value))).collect();
                writer.add_series(&labels, &[IndexedChunk { min_time, max_time, segment: 0, offset: 8 }]).expect("added");
            }
            let index = Index::open(writer.finish().expect("written").into()).expect("an index");
            let numbers = index.all().expect("postings").into_vec();
            let pick = |at: &usize| at.is_multiple_of(every);
            let chosen: Vec<u32> = (0..all.len()).filter(pick).map(|at| numbers[at]).collect();
            let pairs: Vec<_> = (0..all.len()).filter(pick).flat_map(|at| all[at].clone()).collect();
            let names: BTreeSet<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
            prop_assert_eq!(index.label_names_of(&chosen).expect("names"), names.into_iter().collect::<Vec<_>>());
            for name in ["a", "b", "c", "d"] {
                let want: BTreeSet<&str> = pairs.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.as_str()).collect();
                let want: Vec<&str> = want.into_iter().collect();
                prop_assert_eq!(index.label_values_of(name, &chosen).expect("values"), want.clone());
                prop_assert_eq!(index.values_in_postings(name, &chosen).expect("values"), want);
            }
        }
    }
}
