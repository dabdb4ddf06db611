//! Arrows between modules: who uses whose items, and where.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::tidy::modules::crate_tree::{CrateTree, ModuleId};
use crate::tidy::modules::scope::{self, Scopes, Target};
use crate::tidy::test_code::is_for_tests;

/// `from` uses an item that `to` defines; the first such line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrow {
    pub(crate) from: ModuleId,
    pub(crate) to: ModuleId,
    pub(crate) line: usize,
}

/// All arrows of a crate, one per pair of modules.
pub(crate) fn collect(tree: &CrateTree<'_>, scopes: &Scopes<'_>) -> Vec<Arrow> {
    let mut found = Vec::new();
    for (from, module) in tree.modules.iter().enumerate() {
        let mut uses = Uses { tree, scopes, from, lines: BTreeMap::new() };
        module.items.iter().for_each(|item| uses.visit_item(item));
        found.extend(uses.lines.into_iter().map(|(to, line)| Arrow { from, to, line }));
    }
    found
}

/// Visits one module and notes the modules it uses, each with its first line.
struct Uses<'a> {
    tree: &'a CrateTree<'a>,
    scopes: &'a Scopes<'a>,
    from: ModuleId,
    lines: BTreeMap<ModuleId, usize>,
}

impl Uses<'_> {
    fn note(&mut self, to: ModuleId, line: usize) {
        if to != self.from {
            let first = self.lines.entry(to).or_insert(line);
            *first = line.min(*first);
        }
    }

    fn note_path(&mut self, path: &[String], line: usize) {
        if let Target::ItemIn(module) = self.scopes.resolve(self.from, path) {
            self.note(module, line);
        }
    }

    /// Paths inside a macro's arguments, which have no syntax yet: `a :: b :: c`.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut line = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.note_macro_path(&mut path, line);
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.note_tokens(group.stream()),
                TokenTree::Literal(literal) => self.note_literal(literal),
                TokenTree::Punct(_) => {}
            }
            colons = 0;
            self.note_macro_path(&mut path, line);
        }
        self.note_macro_path(&mut path, line);
    }

    /// A lone name in a macro may be anything (a field, a keyword): only a path counts.
    fn note_macro_path(&mut self, path: &mut Vec<String>, line: usize) {
        if path.len() > 1 {
            self.note_path(path, line);
        }
        path.clear();
    }

    /// `#[serde(with = "crate::seconds")]` names what it uses in a text.
    fn note_literal(&mut self, literal: &proc_macro2::Literal) {
        let text = literal.to_string();
        let path: Vec<String> = text.trim_matches('"').split("::").map(str::to_owned).collect();
        let is_local = matches!(path[0].as_str(), "crate" | "self" | "super") && path.len() > 1;
        if is_local {
            let line = literal.span().start().line;
            match self.scopes.resolve(self.from, &path) {
                Target::Module(module) | Target::ItemIn(module) => self.note(module, line),
                Target::Elsewhere => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    /// A child is a node of its own.
    fn visit_item_mod(&mut self, _: &'ast syn::ItemMod) {}

    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_private = matches!(item.vis, syn::Visibility::Inherited);
        for import in scope::imports(item) {
            let to = match self.scopes.resolve(self.from, &import.path) {
                Target::ItemIn(module) => module,
                Target::Module(module) if import.name.is_none() => module,
                // Importing a module is only a shorter name for it: the paths that start there are the arrows.
                Target::Module(_) | Target::Elsewhere => continue,
            };
            if is_private || !self.tree.is_below(to, self.from) {
                self.note(to, import.line);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.note_path(&names, first.ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    /// `pub(in crate::a)` names a module without using it.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.note_tokens(invocation.tokens.clone());
        visit::visit_macro(self, invocation);
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.note_tokens(list.tokens.clone());
        visit::visit_meta_list(self, list);
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
