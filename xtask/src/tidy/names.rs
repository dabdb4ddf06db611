//! Names that say nothing: a thing without a room tells which room is missing.

use std::path::Path;

use syn::visit::Visit;

use crate::report::Finding;
use crate::tidy::tree::Tree;

const NAMELESS: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let nameless = |path: &&std::path::PathBuf| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        NAMELESS.contains(&stem)
    };
    let mut findings: Vec<Finding> = tree.paths.iter().filter(nameless).map(|path| finding(path, 1)).collect();
    for (source, file) in tree.rust() {
        let mut inline = InlineModules { path: &source.path, findings: &mut findings };
        inline.visit_file(file);
    }
    findings
}

/// Modules written in their parent's file, which no path shows.
struct InlineModules<'a> {
    path: &'a Path,
    findings: &'a mut Vec<Finding>,
}

impl<'ast> Visit<'ast> for InlineModules<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.content.is_some() && NAMELESS.contains(&module.ident.to_string().as_str()) {
            self.findings.push(finding(self.path, module.ident.span().start().line));
        }
        syn::visit::visit_item_mod(self, module);
    }
}

fn finding(path: &Path, line: usize) -> Finding {
    Finding::error(path, line, format!("a name that says nothing ({}): name what is inside", NAMELESS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_one(path: &str, text: &str, expected: &[&str]) {
        let found: Vec<String> = check(&Tree::of(&[(path, text)]))
            .iter()
            .map(|finding| format!("{}:{}", finding.path.display(), finding.line))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn folders_files_and_inline_modules() {
        check_one("crates/a/src/lib.rs", "mod commonness {}\nmod helped;", &[]);
        check_one("crates/a/src/utils.rs", "", &["crates/a/src/utils.rs:1"]);
        check_one("crates/common/src/lib.rs", "", &["crates/common:1"]);
        check_one("ui/src/misc/a.ts", "", &["ui/src/misc:1"]);
        check_one("crates/a/src/lib.rs", "\nmod a { mod helpers {} }", &["crates/a/src/lib.rs:2"]);
    }
}
