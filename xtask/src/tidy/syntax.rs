//! Files that don't parse: the other checks could only pass over them in silence.

use crate::report::Finding;
use crate::tidy::tree::Tree;
use crate::toml_text::Document;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        if let Some(Err(error)) = &source.syntax {
            findings.push(Finding::error(&source.path, error.span().start().line, format!("not Rust: {error}")));
        }
    }
    for manifest in tree.manifests() {
        if let Err(error) = Document::parse(&manifest.text) {
            let before = error.span().and_then(|span| manifest.text.get(..span.start)).unwrap_or_default();
            let line = 1 + before.matches('\n').count();
            findings.push(Finding::error(&manifest.path, line, format!("not TOML: {}", error.message())));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_files_are_named_with_their_line() {
        let tree =
            Tree::of(&[("crates/a/src/lib.rs", "//! ok\n\nfn f( {}\n"), ("crates/a/Cargo.toml", "[package]\nx\n")]);
        let found: Vec<(String, usize)> =
            check(&tree).into_iter().map(|finding| (finding.path.display().to_string(), finding.line)).collect();
        assert_eq!(found, [("crates/a/src/lib.rs".to_owned(), 3), ("crates/a/Cargo.toml".to_owned(), 2)]);
    }
}
