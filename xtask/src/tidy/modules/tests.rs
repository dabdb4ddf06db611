use crate::tidy::modules::check;
use crate::tidy::tree::Tree;

/// The members of each cycle, of a crate with the given files below `src`.
#[track_caller]
fn check_cycles(files: &[(&str, &str)], expected: &[&str]) {
    let found = messages(files);
    let cycles: Vec<&str> = found.iter().filter_map(|message| message.lines().next()).collect();
    let expected: Vec<String> = expected.iter().map(|members| format!("modules in a cycle: {members}")).collect();
    assert_eq!(cycles, expected, "{found:#?}");
}

fn messages(files: &[(&str, &str)]) -> Vec<String> {
    let paths: Vec<(String, &str)> = files.iter().map(|(path, text)| (format!("crates/k/src/{path}"), *text)).collect();
    let files: Vec<(&str, &str)> = paths.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    check(&Tree::of(&files)).into_iter().map(|finding| finding.message).collect()
}

const AB: (&str, &str) = ("lib.rs", "mod a;\nmod b;\n");

#[test]
fn siblings_that_use_each_other() {
    for b in [
        "use crate::a::A; pub struct B;",
        "use super::a::A; pub struct B;",
        "use crate::a; pub struct B; fn f(x: a::A) {}",
        "pub struct B; fn f() -> crate::a::A { f() }",
        "pub struct B; fn f() { println!(\"{}\", crate::a::A::new()); }",
        "use crate::a; pub struct B; fn f() { assert!(a::A::new()); }",
        "pub struct B; #[derive(Deserialize)] struct C { #[serde(with = \"crate::a\")] c: u8 }",
        "pub struct B; fn f() { use crate::a::A; }",
        "use crate::a::*; pub struct B;",
        "use crate::{a::{self, A as X}}; pub struct B;",
        "pub use crate::a::A; pub struct B;",
        "pub struct B; impl crate::a::A {}",
        "pub struct B; macro_rules! m { () => { $crate::a::A } }",
    ] {
        check_cycles(&[AB, ("a.rs", "use crate::b::B; pub struct A;"), ("b.rs", b)], &["k::a, k::b"]);
    }
}

#[test]
fn one_way_is_fine() {
    for b in [
        "pub struct B;",
        "pub struct B; #[cfg(test)] use crate::a::A;",
        "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
        "pub struct B; #[cfg(test)] fn f(x: crate::a::A) {}",
        "pub struct B; impl B { #[cfg(test)] fn f(x: crate::a::A) {} }",
        "use ::a::A; pub struct B;",
        "pub(in crate::a) struct B;",
        "pub struct B; /// Like crate::a::A.\nfn f() {}",
        "use a::A; pub struct B;",
        "use crate::b; pub struct B; fn f() -> b::B {}",
    ] {
        check_cycles(&[AB, ("a.rs", "use crate::b::B; pub struct A;"), ("b.rs", b)], &[]);
    }
}

#[test]
fn a_root_that_declares_and_re_exports_is_in_no_cycle() {
    let lib = ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::*;\npub(crate) use self::a::C;\n");
    check_cycles(&[lib, ("a.rs", "use crate::B; pub struct A; pub struct C;"), ("b.rs", "pub struct B;")], &[]);
}

#[test]
fn a_re_export_leads_to_the_module_that_defines() {
    let lib = ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::*;\n");
    check_cycles(
        &[lib, ("a.rs", "use crate::B; pub struct A;"), ("b.rs", "use crate::A; pub struct B;")],
        &["k::a, k::b"],
    );
    // Through two levels, renamed.
    let lib = ("lib.rs", "mod a;\nmod b;\npub use b::Deep as Flat;\n");
    let b = ("b/mod.rs", "mod deep;\npub use deep::Deep;\n");
    let deep = ("b/deep.rs", "use crate::a::A; pub struct Deep;");
    check_cycles(&[lib, ("a.rs", "use crate::Flat; pub struct A;"), b, deep], &["k::a, k::b::deep"]);
}

#[test]
fn a_parent_with_code_of_its_own() {
    let uses = ("lib.rs", "mod a;\nfn f() { a::f() }\npub struct Root;\n");
    check_cycles(&[uses, ("a.rs", "pub fn f() {} fn g(r: crate::Root) {}")], &["k, k::a"]);
    check_cycles(&[uses, ("a.rs", "pub fn f() {}")], &[]);
    // A child may use its parent's items as long as the parent doesn't use the child.
    check_cycles(
        &[("lib.rs", "mod a;\npub use a::f;\npub struct Root;\n"), ("a.rs", "pub fn f(r: super::Root) {}")],
        &[],
    );
    // Re-exporting is nothing, using what was re-exported is something.
    let both = ("lib.rs", "mod a;\npub use a::A;\npub struct Root;\nfn f(a: A) {}\n");
    check_cycles(&[both, ("a.rs", "pub struct A(super::Root);")], &["k, k::a"]);
}

#[test]
fn modules_in_folders_and_inline() {
    let files = [
        ("lib.rs", "pub mod a;\nmod b { use crate::a::deep::D; pub struct B; }\n"),
        ("a/mod.rs", "pub mod deep;\n"),
        ("a/deep.rs", "pub struct D(crate::b::B);"),
    ];
    check_cycles(&files, &["k::a::deep, k::b"]);
    // The folder of a module in `a.rs` is `a/`.
    let files = [
        ("lib.rs", "mod a;\n"),
        ("a.rs", "mod deep;\npub struct A(deep::D);"),
        ("a/deep.rs", "pub struct D(super::A);"),
    ];
    check_cycles(&files, &["k::a, k::a::deep"]);
}

#[test]
fn a_macro_is_where_it_is_defined() {
    let lib = ("lib.rs", "#[macro_use]\nmod a;\nmod b;\n");
    let a = ("a.rs", "#[macro_export]\nmacro_rules! say { () => {} }\n");
    check_cycles(&[lib, a, ("b.rs", "fn f() { crate::say!() }")], &[]);
}

#[test]
fn a_function_with_the_name_of_its_module() {
    let lib = ("lib.rs", "mod b;\nmod parse;\npub use parse::parse;\n");
    let b = ("b.rs", "pub struct B; fn f() { crate::parse() }");
    check_cycles(&[lib, ("parse.rs", "use crate::b::B; pub fn parse() {}"), b], &["k::b, k::parse"]);
}

#[test]
fn names_through_globs() {
    let lib = ("lib.rs", "mod a;\nmod b;\nmod prelude;\n");
    let prelude = ("prelude.rs", "pub use crate::a::*;\npub use crate::prelude::*;\n");
    let b = ("b.rs", "fn f() { crate::prelude::A::new() } pub struct B;");
    check_cycles(&[lib, ("a.rs", "use crate::b::B; pub struct A;"), b, prelude], &["k::a, k::b"]);
    check_cycles(&[lib, ("a.rs", "pub struct A;"), b, prelude], &[]);
}

#[test]
fn every_arrow_of_a_cycle_has_its_place() {
    let found = messages(&[AB, ("a.rs", "\nuse crate::b::B;\npub struct A;"), ("b.rs", "pub struct B(crate::a::A);")]);
    let expected = "modules in a cycle: k::a, k::b\
        \n    k::a -> k::b at crates/k/src/a.rs:2\
        \n    k::b -> k::a at crates/k/src/b.rs:1";
    assert_eq!(found, [expected]);
}

#[test]
fn a_module_without_a_file_is_reported() {
    assert_eq!(messages(&[("lib.rs", "mod gone;\n")]), ["no file for the module gone, or it doesn't parse"]);
}
