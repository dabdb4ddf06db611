//! Label names and values as numbers.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use model::Labels;

/// A series' labels as numbers of symbols.
pub(super) type Pairs = Box<[(u32, u32)]>;

/// Every text once, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32, FixedState>,
}

impl Symbols {
    /// The labels in numbers; `None` where there are more texts than 32 bits can number.
    pub(super) fn pairs(&mut self, labels: &Labels) -> Option<Pairs> {
        let mut pairs = Vec::with_capacity(labels.len());
        for (name, value) in labels {
            pairs.push((self.number(name)?, self.number(value)?));
        }
        Some(pairs.into())
    }

    fn number(&mut self, text: &str) -> Option<u32> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        let number = u32::try_from(self.texts.len()).ok()?;
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        Some(number)
    }

    /// The text of a number.
    pub(super) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    /// The numbers in order of their texts.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.texts.len() as u32).collect();
        order.sort_unstable_by(|a, b| self.text(*a).cmp(self.text(*b)));
        order
    }

    /// The place of each among all in order of their texts.
    pub(super) fn ranks(&self) -> Vec<u32> {
        let mut ranks = vec![0; self.texts.len()];
        for (rank, symbol) in self.sorted().iter().enumerate() {
            ranks[*symbol as usize] = rank as u32;
        }
        ranks
    }
}
