//! Every label of the head, a name with a value, held once and named by a number.
//!
//! Most labels are those of many series, so a series that names its labels by number pays four bytes for each.

use hashbrown::HashTable;

use super::symbols::Symbols;

/// A label as symbols: its name and its value.
pub(super) type Pair = (u32, u32);

/// Labels by number. A label costs eight bytes here, about six for finding it, and its symbols.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    symbols: Symbols,
    pairs: Vec<Pair>,
    numbers: HashTable<u32>,
}

/// Spreads a pair over 64 bits (Fibonacci hashing); neighbours differ in the high bits, which the table looks at.
fn hash((name, value): Pair) -> u64 {
    (u64::from(name) << 32 | u64::from(value)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

impl Pairs {
    /// The label with this number, which must have been given out by this table.
    pub(super) fn get(&self, number: u32) -> Pair {
        self.pairs[number as usize]
    }

    /// Name and value of the label with this number.
    pub(super) fn text(&self, number: u32) -> (&str, &str) {
        let (name, value) = self.get(number);
        (self.symbols.get(name), self.symbols.get(value))
    }

    /// The number of a label that is here.
    pub(super) fn find(&self, name: &str, value: &str) -> Option<u32> {
        let pair = (self.symbols.find(name)?, self.symbols.find(value)?);
        self.numbers.find(hash(pair), |number| self.get(*number) == pair).copied()
    }

    /// The number of a label, which is added if it isn't here; `None` once 4 GiB of text are full.
    pub(super) fn intern(&mut self, name: &str, value: &str) -> Option<u32> {
        let name = self.symbols.intern(name)?;
        self.intern_value(name, value)
    }

    /// The same for a name that is a symbol already.
    pub(super) fn intern_value(&mut self, name: u32, value: &str) -> Option<u32> {
        let pair = (name, self.symbols.intern(value)?);
        if let Some(number) = self.numbers.find(hash(pair), |number| self.pairs[*number as usize] == pair) {
            return Some(*number);
        }
        let number = u32::try_from(self.pairs.len()).ok()?;
        self.pairs.push(pair);
        let pairs = &self.pairs;
        self.numbers.insert_unique(hash(pair), number, |number| hash(pairs[*number as usize]));
        Some(number)
    }

    /// How many labels there are.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The names and values.
    pub(super) fn symbols(&self) -> &Symbols {
        &self.symbols
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_has_one_number() {
        let mut pairs = Pairs::default();
        let numbers: Vec<_> =
            [("a", "x"), ("a", "y"), ("x", "a"), ("a", "x")].iter().map(|(n, v)| pairs.intern(n, v)).collect();
        assert_eq!(numbers, [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!((pairs.text(2), pairs.find("a", "y"), pairs.find("y", "a")), (("x", "a"), Some(1), None));
        assert_eq!((pairs.len(), pairs.symbols().len()), (3, 3));
    }
}
