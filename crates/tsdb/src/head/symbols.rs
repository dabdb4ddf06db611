//! Every label name and value of the head, held once.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// Strings by number. All text lies in one buffer; a string costs its bytes, four for its end and about six for finding it.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    text: String,
    ends: Vec<u32>,
    numbers: HashTable<u32>,
}

fn slice<'a>(text: &'a str, ends: &[u32], number: u32) -> &'a str {
    let at = number as usize;
    let start = if at == 0 { 0 } else { ends[at - 1] as usize };
    &text[start..ends[at] as usize]
}

impl Symbols {
    /// The string with this number, which must have been given out by this table.
    pub(super) fn get(&self, number: u32) -> &str {
        slice(&self.text, &self.ends, number)
    }

    /// The number of a string that is here.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.numbers.find(xxh3_64(text.as_bytes()), |number| self.get(*number) == text).copied()
    }

    /// The number of a string, which is added if it isn't here; `None` once 4 GiB of text are full.
    pub(super) fn intern(&mut self, text: &str) -> Option<u32> {
        let hash = xxh3_64(text.as_bytes());
        if let Some(number) = self.numbers.find(hash, |number| self.get(*number) == text) {
            return Some(*number);
        }
        let end = u32::try_from(self.text.len() + text.len()).ok()?;
        let number = u32::try_from(self.ends.len()).ok()?;
        self.text.push_str(text);
        self.ends.push(end);
        let (all, ends) = (&self.text, &self.ends);
        self.numbers.insert_unique(hash, number, |n| xxh3_64(slice(all, ends, *n).as_bytes()));
        Some(number)
    }

    /// How many strings there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_string_has_one_number() {
        let mut symbols = Symbols::default();
        let numbers: Vec<_> = ["", "a", "ab", "a", ""].iter().map(|s| symbols.intern(s).expect("room")).collect();
        assert_eq!(numbers, [0, 1, 2, 1, 0]);
        assert_eq!((symbols.get(0), symbols.get(2), symbols.find("b"), symbols.len()), ("", "ab", None, 3));
    }
}
