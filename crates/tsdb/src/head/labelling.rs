//! Makes the labels of one series after the other, all of them or only those that are wanted.

use model::{Labels, METRIC_NAME};

use super::index::HeadIndex;

/// Series that come one after the other mostly have the same among a few labels: their labels are made once.
pub(super) struct Labelling<'a> {
    index: &'a HeadIndex,
    /// The names that are wanted, as symbols; `None` for all.
    wanted: Option<Vec<u32>>,
    /// The last series' labels that are wanted: the place of each among all its labels, and its number.
    last: Vec<(usize, u32)>,
    /// They, made.
    made: Labels,
    found: Vec<(usize, u32)>,
}

impl<'a> Labelling<'a> {
    /// For the labels with these names, and the metric's name; `None` for all.
    pub(super) fn new(index: &'a HeadIndex, names: Option<&[String]>) -> Self {
        let wanted = names.map(|names| {
            let names = names.iter().map(String::as_str).chain([METRIC_NAME]);
            let mut symbols: Vec<u32> = names.filter_map(|name| index.symbols().find(name)).collect();
            symbols.sort_unstable();
            symbols.dedup();
            symbols
        });
        Labelling { index, wanted, last: Vec::new(), made: Labels::empty(), found: Vec::new() }
    }

    /// The labels of a slot.
    pub(super) fn labels(&mut self, slot: u32) -> Labels {
        let Some(wanted) = &self.wanted else { return self.index.labels(slot) };
        let numbers = self.index.numbers(slot);
        // A name stands once in a series: where all that are wanted stand as they stood before, no other label can be one of them.
        let is_same = |(at, number): &(usize, u32)| numbers.get(*at) == Some(number);
        if self.last.len() == wanted.len() && self.last.iter().all(is_same) {
            return self.made.clone();
        }
        let is_wanted = |(_, number): &(usize, u32)| wanted.contains(&self.index.label(*number).0);
        self.found.clear();
        self.found.extend(numbers.iter().copied().enumerate().filter(is_wanted));
        let number = |(_, number): &(usize, u32)| *number;
        if !self.found.iter().map(number).eq(self.last.iter().map(number)) {
            self.made = Labels::from_sorted(self.found.iter().map(|(_, number)| self.index.label_text(*number)));
        }
        std::mem::swap(&mut self.found, &mut self.last);
        self.made.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_is_made_and_once_for_neighbours() {
        let mut index = HeadIndex::default();
        let series = [
            &[("__name__", "a"), ("i", "0"), ("job", "x")][..],
            &[("__name__", "a"), ("i", "1"), ("job", "x")],
            &[("__name__", "a"), ("i", "1"), ("job", "y")],
            &[("__name__", "a"), ("i", "1"), ("i2", "0"), ("job", "y")],
            &[("__name__", "a"), ("job", "y")],
            &[("__name__", "a"), ("i", "1")],
            &[("i", "2"), ("job", "y")],
            &[],
        ];
        for (labels, reference) in series.iter().zip(1..) {
            index.add(&Labels::from_pairs(labels.iter().copied()), reference).expect("room");
        }
        for names in [&[][..], &["job"], &["i", "job"], &["i2", "i"], &["unknown", "job"], &["job", "__name__"]] {
            let wanted: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut labelling = Labelling::new(&index, Some(&wanted));
            // In any order.
            for slot in [0, 1, 2, 3, 4, 5, 6, 7, 0, 3, 7, 5, 4, 1, 6, 2, 2] {
                let want = series[slot].iter().copied().filter(|(name, _)| *name == "__name__" || names.contains(name));
                assert_eq!(labelling.labels(slot as u32), Labels::from_pairs(want), "{names:?} of {slot}");
            }
        }
        let wanted = ["job".to_owned()];
        let mut labelling = Labelling::new(&index, Some(&wanted));
        let made: Vec<Labels> = (0..5).map(|slot| labelling.labels(slot)).collect();
        assert!(made[0].is_clone_of(&made[1]));
        assert!(made[2].is_clone_of(&made[3]) && made[3].is_clone_of(&made[4]));
        let mut all = Labelling::new(&index, None);
        assert_eq!(all.labels(1), Labels::from_pairs(series[1].iter().copied()));
    }
}
