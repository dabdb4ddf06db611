//! `match` and `reReplaceAll`: Go's regular expressions that search anywhere in a text.

use model::GoSearch;

/// Whether the expression matches somewhere in the text.
pub(crate) fn is_match(pattern: &str, text: &str) -> Result<bool, String> {
    GoSearch::new(pattern).map(|search| search.is_match(text)).map_err(|e| e.to_string())
}

/// Every match replaced, with `$1` and `${name}` in `replacement` standing for groups.
pub(crate) fn replace_all(pattern: &str, replacement: &str, text: &str) -> Result<String, String> {
    GoSearch::new(pattern).map(|search| search.replace_all(text, replacement)).map_err(|e| e.to_string())
}
