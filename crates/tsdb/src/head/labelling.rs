//! Makes the labels of one series after the other, all of them or only those that are wanted.

use model::{Labels, METRIC_NAME};

use super::index::HeadIndex;

/// Series that come one after the other mostly have the same among a few labels: their labels are made once.
pub(super) struct Labelling<'a> {
    index: &'a HeadIndex,
    /// The names that are wanted, as symbols; `None` for all.
    wanted: Option<Vec<u32>>,
    /// The last series' labels that are wanted, as numbers and made.
    last: (Vec<u32>, Labels),
    numbers: Vec<u32>,
}

impl<'a> Labelling<'a> {
    /// For the labels with these names, and the metric's name; `None` for all.
    pub(super) fn new(index: &'a HeadIndex, names: Option<&[String]>) -> Self {
        let wanted = names.map(|names| {
            let names = names.iter().map(String::as_str).chain([METRIC_NAME]);
            names.filter_map(|name| index.symbols().find(name)).collect()
        });
        Labelling { index, wanted, last: Default::default(), numbers: Vec::new() }
    }

    /// The labels of a slot.
    pub(super) fn labels(&mut self, slot: u32) -> Labels {
        let Some(wanted) = &self.wanted else { return self.index.labels(slot) };
        let numbers = self.index.numbers(slot).iter().copied();
        self.numbers.clear();
        self.numbers.extend(numbers.filter(|number| wanted.contains(&self.index.label(*number).0)));
        if self.numbers != self.last.0 {
            std::mem::swap(&mut self.numbers, &mut self.last.0);
            self.last.1 = Labels::from_sorted(self.last.0.iter().map(|number| self.index.label_text(*number)));
        }
        self.last.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_is_made_and_once_for_neighbours() {
        let mut index = HeadIndex::default();
        let series = [
            [("__name__", "a"), ("i", "0"), ("job", "x")],
            [("__name__", "a"), ("i", "1"), ("job", "x")],
            [("__name__", "a"), ("i", "2"), ("job", "y")],
        ];
        for (labels, reference) in series.iter().zip(1..) {
            index.add(&Labels::from_pairs(labels.iter().copied()), reference).expect("room");
        }
        let wanted = ["job".to_owned(), "unknown".to_owned()];
        let mut labelling = Labelling::new(&index, Some(&wanted));
        let made: Vec<Labels> = (0..3).map(|slot| labelling.labels(slot)).collect();
        assert!(made[0].is_clone_of(&made[1]));
        let want = |job: &str| Labels::from_pairs([("__name__", "a"), ("job", job)]);
        assert_eq!((&made[1], &made[2]), (&want("x"), &want("y")));
        let mut all = Labelling::new(&index, None);
        assert_eq!(all.labels(1), Labels::from_pairs(series[1]));
    }
}
