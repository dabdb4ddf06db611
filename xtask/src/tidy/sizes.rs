//! Sizes of files and functions.
//!
//! A file is counted without the test module at its end. A function that is one `match` or one literal table is
//! exempt: splitting it would hide its order. Tests read from top to bottom, so they may be longer and never fail.

use std::path::Path;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::report::Finding;
use crate::tidy::test_code::is_for_tests;
use crate::tidy::tree::{Source, Tree, has_extension, is_script};

/// Lines above which a size is reported.
struct Limit {
    warning: usize,
    error: usize,
}

const FILE: Limit = Limit { warning: 500, error: 1000 };
const FILE_OF_TESTS: Limit = Limit { warning: 1500, error: usize::MAX };
const FUNCTION: Limit = Limit { warning: 70, error: 150 };
const FUNCTION_OF_TESTS: Limit = Limit { warning: 150, error: usize::MAX };

impl Limit {
    fn check(&self, path: &Path, line: usize, what: &str, lines: usize) -> Option<Finding> {
        if lines > self.error {
            let message = format!("{what} has {lines} lines, {} at most", self.error);
            return Some(Finding::error(path, line, message));
        }
        let message = format!("{what} has {lines} lines, better {}", self.warning);
        (lines > self.warning).then(|| Finding::warning(path, line, message))
    }
}

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let code = |source: &&Source| has_extension(&source.path, &["rs", "ts", "tsx", "sh"]) || is_script(&source.path);
    for source in tree.sources.iter().filter(code) {
        let limit = if is_test_file(&source.path) { FILE_OF_TESTS } else { FILE };
        findings.extend(limit.check(&source.path, 1, "the file", lines_without_tests(source)));
    }
    for (source, file) in tree.rust() {
        let in_tests = is_test_file(&source.path);
        let mut functions = Functions { path: &source.path, in_tests, findings: &mut findings };
        functions.visit_file(file);
    }
    findings
}

/// `tests.rs`, and everything under a folder `tests` but the sources of the crate of that name.
fn is_test_file(path: &Path) -> bool {
    let parent = path.parent().unwrap_or(Path::new(""));
    path.ends_with("tests.rs") || (parent.iter().any(|part| part == "tests") && !path.starts_with("tests/src"))
}

fn lines_without_tests(source: &Source) -> usize {
    let all = source.text.lines().count();
    let Some(Ok(file)) = &source.syntax else { return all };
    match file.items.last() {
        Some(syn::Item::Mod(last)) if last.content.is_some() && is_for_tests(&last.attrs) => {
            last.span().start().line - 1
        }
        _ => all,
    }
}

/// Visits every function with a body.
struct Functions<'a> {
    path: &'a Path,
    in_tests: bool,
    findings: &'a mut Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, attributes: &[syn::Attribute], signature: &syn::Signature, body: &syn::Block) {
        if is_table(body) {
            return;
        }
        let first = signature.span().start().line;
        let lines = body.span().end().line - first + 1;
        let for_tests = self.in_tests || is_for_tests(attributes);
        let limit = if for_tests { FUNCTION_OF_TESTS } else { FUNCTION };
        self.findings.extend(limit.check(self.path, first, &format!("the function {}", signature.ident), lines));
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let outside = self.in_tests;
        self.in_tests |= is_for_tests(&module.attrs);
        visit::visit_item_mod(self, module);
        self.in_tests = outside;
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.attrs, &function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.attrs, &function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.attrs, &function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// A body that is a single `match`, or a single array literal however it is wrapped.
fn is_table(body: &syn::Block) -> bool {
    let [syn::Stmt::Expr(expression, _)] = body.stmts.as_slice() else {
        return matches!(body.stmts.as_slice(), [syn::Stmt::Macro(only)] if is_vec(&only.mac));
    };
    is_table_expression(expression)
}

fn is_table_expression(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Match(_) | syn::Expr::Array(_) => true,
        syn::Expr::Macro(invocation) => is_vec(&invocation.mac),
        syn::Expr::Reference(reference) => is_table_expression(&reference.expr),
        syn::Expr::Paren(paren) => is_table_expression(&paren.expr),
        syn::Expr::Try(attempt) => is_table_expression(&attempt.expr),
        syn::Expr::MethodCall(call) => is_table_expression(&call.receiver),
        syn::Expr::Call(call) => call.args.len() == 1 && is_table_expression(&call.args[0]),
        _ => false,
    }
}

fn is_vec(invocation: &syn::Macro) -> bool {
    invocation.path.is_ident("vec")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_one(path: &str, text: &str, expected: &[&str]) {
        let found: Vec<String> = super::check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect();
        let expected: Vec<String> = expected.iter().map(|rest| format!("{path}:{rest}")).collect();
        assert_eq!(found, expected);
    }

    fn constants(lines: usize) -> String {
        "const A: u8 = 1;\n".repeat(lines)
    }

    #[test]
    fn files() {
        check_one("crates/a/src/b.rs", &constants(500), &[]);
        check_one("crates/a/src/b.rs", &constants(501), &["1: warning: the file has 501 lines, better 500"]);
        check_one("crates/a/src/b.rs", &constants(1001), &["1: error: the file has 1001 lines, 1000 at most"]);
        check_one("ui/src/b.tsx", &constants(1001), &["1: error: the file has 1001 lines, 1000 at most"]);
        check_one("crates/a/src/b/tests.rs", &constants(1500), &[]);
        check_one("crates/a/tests/b.rs", &constants(1501), &["1: warning: the file has 1501 lines, better 1500"]);
        check_one("tests/src/b.rs", &constants(1001), &["1: error: the file has 1001 lines, 1000 at most"]);
    }

    #[test]
    fn the_test_module_at_the_end_is_free() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", constants(400));
        check_one("a.rs", &format!("{}{tests}", constants(300)), &[]);
        check_one("a.rs", &format!("{tests}{}", constants(300)), &["1: warning: the file has 703 lines, better 500"]);
        let untested = tests.replace("cfg(test)", "cfg(unix)");
        let expected = "1: warning: the file has 703 lines, better 500";
        check_one("a.rs", &format!("{}{untested}", constants(300)), &[expected]);
    }

    fn function(lines: usize) -> String {
        format!("/// Doc.\nfn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2))
    }

    #[test]
    fn functions() {
        check_one("a.rs", &function(70), &[]);
        check_one("a.rs", &function(71), &["2: warning: the function f has 71 lines, better 70"]);
        check_one("a.rs", &function(151), &["2: error: the function f has 151 lines, 150 at most"]);
        check_one("a.rs", &format!("#[test]\n{}", function(150)), &[]);
        let inside = format!("impl A {{\n{}}}\n", function(71));
        check_one("a.rs", &inside, &["3: warning: the function f has 71 lines, better 70"]);
        let tests = format!("#[cfg(all(test, unix))]\nmod tests {{\n{}}}\n", function(151));
        check_one("a.rs", &tests, &["4: warning: the function f has 151 lines, better 150"]);
    }

    #[test]
    fn a_table_is_exempt() {
        let rows = "    1 => 1,\n".repeat(200);
        check_one("a.rs", &format!("fn f(x: u8) -> u8 {{\n  match x {{\n{rows}    _ => 2,\n  }}\n}}\n"), &[]);
        let cells = "    1,\n".repeat(200);
        check_one("a.rs", &format!("fn f() -> &'static [u8] {{\n  &[\n{cells}  ]\n}}\n"), &[]);
        check_one("a.rs", &format!("fn f() -> Vec<u8> {{\n  vec![\n{cells}  ]\n}}\n"), &[]);
        let twice = format!("fn f(x: u8) -> u8 {{\n  g();\n  match x {{\n{rows}    _ => 2,\n  }}\n}}\n");
        check_one("a.rs", &twice, &["1: error: the function f has 206 lines, 150 at most"]);
    }
}
