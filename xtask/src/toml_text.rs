//! TOML that remembers where each key stands.

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

/// A parsed document and its text.
pub(crate) struct Document<'t> {
    text: &'t str,
    root: DeTable<'t>,
}

/// A value, its key, and the line of the key (counted from 1).
#[derive(Clone, Copy)]
pub(crate) struct Entry<'d> {
    pub(crate) key: &'d str,
    pub(crate) line: usize,
    pub(crate) value: &'d DeValue<'d>,
}

impl<'t> Document<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Self, Error> {
        Ok(Self { text, root: DeTable::parse(text)?.into_inner() })
    }

    /// The value at a path of keys: `["lints", "workspace"]` is `workspace` under `[lints]`.
    pub(crate) fn get(&self, path: &[&str]) -> Option<Entry<'_>> {
        let (last, parents) = path.split_last()?;
        let table = self.table(parents)?;
        let (key, value) = table.get_key_value(*last)?;
        Some(self.entry(key, value))
    }

    /// The keys under a table, none where the table is absent.
    pub(crate) fn entries(&self, path: &[&str]) -> Vec<Entry<'_>> {
        let Some(table) = self.table(path) else { return Vec::new() };
        table.iter().map(|(key, value)| self.entry(key, value)).collect()
    }

    /// The text of an array of strings; of tables, the text of their `field`.
    pub(crate) fn strings(&self, path: &[&str], field: &str) -> Vec<String> {
        let Some(DeValue::Array(array)) = self.get(path).map(|entry| entry.value) else { return Vec::new() };
        let text = |value: &DeValue<'_>| match value {
            DeValue::Table(table) => table.get(field).and_then(|value| value.get_ref().as_str()).map(str::to_owned),
            other => other.as_str().map(str::to_owned),
        };
        array.iter().filter_map(|value| text(value.get_ref())).collect()
    }

    fn table(&self, path: &[&str]) -> Option<&DeTable<'t>> {
        let mut table = &self.root;
        for key in path {
            table = table.get(*key)?.get_ref().as_table()?;
        }
        Some(table)
    }

    fn entry<'d>(&self, key: &'d Spanned<std::borrow::Cow<'t, str>>, value: &'d Spanned<DeValue<'t>>) -> Entry<'d> {
        let before = self.text.get(..key.span().start).unwrap_or_default();
        Entry { key: key.get_ref(), line: 1 + before.matches('\n').count(), value: value.get_ref() }
    }
}

impl Entry<'_> {
    pub(crate) fn is_true(&self) -> bool {
        self.value.as_bool() == Some(true)
    }

    /// A text field of a table value: `package` of `{ package = "x", version = "1" }`.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.value.as_table()?.get(name)?.get_ref().as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_their_lines() {
        let document =
            Document::parse("[package]\nname = \"a\"\n\n[dependencies]\nb.workspace = true\nc = \"1\"\n").unwrap();
        let name = document.get(&["package", "name"]).unwrap();
        assert_eq!((name.value.as_str(), name.line), (Some("a"), 2));
        let dependencies: Vec<(&str, usize)> =
            document.entries(&["dependencies"]).iter().map(|entry| (entry.key, entry.line)).collect();
        assert_eq!(dependencies, [("b", 5), ("c", 6)]);
        assert!(document.get(&["dependencies", "b", "workspace"]).unwrap().is_true());
        assert!(document.get(&["package", "version"]).is_none());
    }

    #[test]
    fn arrays_of_texts_and_of_tables() {
        let document = Document::parse("a = [\"x\", { name = \"y\" }, { other = 1 }, 2]").unwrap();
        assert_eq!(document.strings(&["a"], "name"), ["x", "y"]);
    }
}
