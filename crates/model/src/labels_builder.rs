//! Two ways to make label sets: changing one that exists, and writing one down from parsed text.

use crate::labels::Labels;

/// Changes to a label set: what relabelling, aggregation and external labels do.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    /// Sorted by name; no empty values.
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Starts from `base`.
    pub fn new(base: &Labels) -> Self {
        LabelsBuilder { pairs: base.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect() }
    }

    /// Sets a label; an empty value deletes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.pairs.binary_search_by(|(n, _)| n.as_str().cmp(name)) {
            Ok(at) if value.is_empty() => {
                self.pairs.remove(at);
            }
            Ok(at) => value.clone_into(&mut self.pairs[at].1),
            Err(_) if value.is_empty() => {}
            Err(at) => self.pairs.insert(at, (name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Deletes a label.
    pub fn del(&mut self, name: &str) -> &mut Self {
        self.set(name, "")
    }

    /// The value as it stands, if the label is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.pairs.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok()?;
        Some(&self.pairs[at].1)
    }

    /// Keeps the labels that `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) -> &mut Self {
        self.pairs.retain(|(n, v)| keep(n, v));
        self
    }

    /// The pairs as they stand, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// The label set.
    pub fn build(&self) -> Labels {
        Labels::from_sorted(self.iter())
    }
}

/// A reusable place to collect the pairs of one series after another, without an allocation per label.
#[derive(Debug, Clone, Default)]
pub struct LabelsScratch {
    text: String,
    /// Start of the name, end of the name (start of the value), end of the value.
    spans: Vec<(usize, usize, usize)>,
}

impl LabelsScratch {
    /// Forgets all pairs and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// Adds a pair; a name that comes again counts with its last value.
    pub fn push(&mut self, name: &str, value: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        let middle = self.text.len();
        self.text.push_str(value);
        self.spans.push((start, middle, self.text.len()));
    }

    /// Bytes of all names and values.
    pub fn byte_len(&self) -> usize {
        self.text.len()
    }

    /// The first name that was pushed twice, if one was.
    pub fn duplicate_name(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.spans.iter().map(|span| &self.text[span.0..span.1]).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// The pairs as they were pushed, those with an empty value included.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.spans.iter().map(|&(start, middle, end)| (&self.text[start..middle], &self.text[middle..end]))
    }

    /// The label set of the pairs.
    pub fn build(&self) -> Labels {
        Labels::from_pairs(
            self.spans.iter().map(|&(start, middle, end)| (&self.text[start..middle], &self.text[middle..end])),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_a_label_set() {
        let mut builder = LabelsBuilder::new(&Labels::from_pairs([("a", "1"), ("c", "3")]));
        builder.set("b", "2").set("a", "x").del("c").set("d", "");
        assert_eq!(builder.get("b"), Some("2"));
        assert_eq!(builder.build(), Labels::from_pairs([("a", "x"), ("b", "2")]));
    }

    #[test]
    fn scratch_is_reusable_and_tells_duplicates() {
        let mut scratch = LabelsScratch::default();
        scratch.push("b", "2");
        scratch.push("a", "1");
        assert_eq!(scratch.build(), Labels::from_pairs([("a", "1"), ("b", "2")]));
        assert_eq!(scratch.duplicate_name(), None);
        scratch.push("b", "3");
        assert_eq!(scratch.duplicate_name(), Some("b"));
        scratch.clear();
        assert!(scratch.build().is_empty());
    }
}
